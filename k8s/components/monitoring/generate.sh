#!/usr/bin/env bash
# Prints the rules of deploy/prometheus/rules as the Prometheus operator wants them, a PrometheusRule for each file:
#   k8s/components/monitoring/generate.sh > k8s/components/monitoring/prometheus-rule.yaml
# kustomize cannot put one file into another. A rule file is what stands below `spec`, two spaces further in.
set -euo pipefail
shopt -s nullglob

rules=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../deploy/prometheus/rules" && pwd)
files=("$rules"/*.yml)
((${#files[@]})) || { echo "error: there are no rules in $rules" >&2; exit 1; }

cat <<EOF
# Written by k8s/components/monitoring/generate.sh from deploy/prometheus/rules: change the rules there.
EOF
for file in "${files[@]}"; do
  cat <<EOF
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: $(basename "$file" .yml)
  labels:
    app.kubernetes.io/name: parlance
    app.kubernetes.io/component: monitoring
    app.kubernetes.io/part-of: parlance
spec:
EOF
  sed -e 's/^\(.\)/  \1/' "$file"
done
