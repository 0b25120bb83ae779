"""The verbs of an exploration, in order: observe, plan, execute, closure, judge, replay, explore, statement."""
