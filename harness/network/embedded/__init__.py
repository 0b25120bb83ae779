"""A Toxiproxy server in Python, for where the real one is not installed: same HTTP API, same toxics, same oddities.

It speaks as version 2.12.0 does (https://github.com/Shopify/toxiproxy), and differs on purpose in this: it listens on
loopback only, keeps the port of a disabled proxy, refuses attributes that end a real server, has a seeded generator for
each proxy, and counts what went through each connection (``GET /rollproof/proxies/NAME/connections``).

    python -m rollproof.network.embedded        prints the port of its API, and ends with the process that started it
"""
