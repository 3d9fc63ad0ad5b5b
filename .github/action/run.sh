#!/usr/bin/env bash
# The steps of the GitHub Action: run the suite on a testee, and write the reports to a folder.
#
# Variables: TESTEE (a command, or the name of a testee of the configuration; empty: those of the configuration),
# KNOWN_FAILURES (a file, or empty), ARGUMENTS (further options of `run`, as a shell splits them), REPORTS (a folder).
set -euo pipefail

reports=${REPORTS:-conformance-reports}
mkdir -p "$reports"

options=(--json "$reports/report.json" --junit "$reports/junit.xml" --html "$reports/report.html" --markdown "$reports/report.md")
if [ -n "${TESTEE:-}" ]; then options+=(--testee "$TESTEE"); fi
if [ -n "${KNOWN_FAILURES:-}" ]; then options+=(--known-failures "$KNOWN_FAILURES"); fi
if [ -n "${ARGUMENTS:-}" ]; then
  while IFS= read -r -d '' word; do options+=("$word"); done < <(printf '%s' "$ARGUMENTS" | xargs printf '%s\0')
fi

status=0
plugsvc-conformance run "${options[@]}" || status=$?
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  { echo "status=$status"; echo "reports=$reports"; } >> "$GITHUB_OUTPUT"
fi
exit "$status"
