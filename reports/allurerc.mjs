// The recovery report for the Allure 3 command line:
//   allure generate --config reports/allurerc.mjs --output allure-report allure-results

const broken = (...invariants) => ({ labels: { framework: "^rollproof$", tag: `^(${invariants.join("|")})$` }, statuses: ["failed"] });

// The first that matches takes a result, so what costs most comes first.
const categories = [
  { name: "Credential exposed, or used after it was refused", matchers: broken("credential_hygiene") },
  { name: "Duplicated effect", matchers: broken("duplicated_effect") },
  { name: "Not all or nothing", matchers: broken("all_or_nothing", "honest_outcome") },
  { name: "Recovery failed", matchers: broken("recovery_succeeds", "recovery_idempotent", "clean_retry") },
  { name: "Retry storm, or no end", matchers: broken("terminates") },
  { name: "Leftovers", matchers: broken("no_leftovers", "no_leftover_locks") },
  { name: "Another promise broken", matchers: { labels: { framework: "^rollproof$", tag: "." }, statuses: ["failed"] } },
  { name: "Harness error: could not be judged", matchers: { labels: { framework: "^rollproof$" }, statuses: ["broken"] } },
  { id: "_product_errors_default_category", name: "The same, test by test", matchers: { statuses: ["failed"] } },
];

export default {
  name: "Rollproof recovery report",
  output: "allure-report",
  open: false,
  historyPath: ".allure/history.jsonl",
  historyLimit: 20,
  categories,
  plugins: {
    agent: { enabled: false },
    awesome: {
      options: {
        reportName: "Rollproof recovery report",
        singleFile: true,
        theme: "auto",
        reportLanguage: "en",
        charts: [
          { type: "currentStatus", title: "Cells" },
          { type: "statusDynamics", title: "Cells, run by run" },
          { type: "statusTransitions", title: "Newly broken and mended" },
          { type: "successRateDistribution", title: "Share of cells that recover" },
        ],
      },
    },
  },
};
