// The recovery report for the Allure 3 command line:
//   allure generate --config reports/allurerc.mjs --output allure-report allure-results
//   python -m rollproof.reports.allure_page allure-report/index.html

import { readFileSync } from "node:fs";

const categories = JSON.parse(readFileSync(new URL("categories.json", import.meta.url), "utf8"));

// What this run is to be stopped for: findings that no earlier run has, and that nobody has accepted in chaos-known.toml.
const isNew = ({ labels }) => labels.some(({ name, value }) => name === "finding" && (value === "new" || value === "found"));

const performance = {
  groups: { recovery: { title: "Recovery" }, found: { title: "Exploration" } },
  metrics: {
    recovery_median_s: { title: "Recovery time, median", unit: "s", better: "lower", group: "recovery" },
    recovery_p95_s: { title: "Recovery time, 95th percentile", unit: "s", better: "lower", group: "recovery" },
    recovery_max_s: { title: "Recovery time, longest", unit: "s", better: "lower", group: "recovery" },
    model_calls_again: { title: "Model calls made again", unit: "calls", better: "lower", group: "recovery" },
    tokens_again: { title: "Tokens spent again", unit: "tokens", better: "lower", group: "recovery" },
    findings: { title: "Findings that are not known", unit: "findings", better: "lower", group: "found" },
    executions: { title: "Executions", unit: "executions", better: "lower", group: "found" },
  },
};

export default {
  name: "Rollproof recovery report",
  output: "allure-report",
  open: false,
  historyPath: ".allure/history.jsonl",
  historyLimit: 20,
  appendHistory: !process.env.ROLLPROOF_SAME_RUN, // a page that is made twice is one run
  categories,
  performance,
  qualityGate: { rules: [{ id: "new findings", filter: isNew, maxFailures: 0 }] },
  plugins: {
    agent: { enabled: false },
    awesome: {
      options: {
        reportName: "Rollproof recovery report",
        singleFile: true,
        theme: "auto",
        reportLanguage: "en",
        defaultSortBy: "status,asc",
        charts: [ // none of results run by run: the history has no points; Metrics draws the number of findings
          { type: "currentStatus", title: "Findings, and points where all holds" },
          { type: "testResultSeverities", title: "Findings by severity" },
          { type: "statusTransitions", title: "Newly broken and mended" },
        ],
      },
    },
  },
};
