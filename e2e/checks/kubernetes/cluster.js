// A rendering, asked as a cluster would answer: which pods there are, whom a selector finds, where a name leads.

/** Whether labels fit a selector with matchLabels and matchExpressions. An empty selector fits everything. */
export function fits(selector, labels = {}) {
  const { matchLabels = {}, matchExpressions = [], ...unknown } = selector;
  if (Object.keys(unknown).length > 0) throw new Error(`no selector: ${JSON.stringify(selector)}`);
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      if (operator === 'In') return values.includes(labels[key]);
      if (operator === 'NotIn') return !values.includes(labels[key]);
      if (operator === 'Exists') return key in labels;
      throw new Error(`the operator ${operator} is not known here`);
    })
  );
}

const WORKLOADS = ['Deployment', 'StatefulSet', 'Job', 'DaemonSet', 'CronJob'];

export class Cluster {
  constructor(objects) {
    this.objects = objects;
  }

  all(...kinds) {
    return this.objects.filter(({ kind }) => kinds.includes(kind));
  }

  find(kind, name) {
    return this.objects.find((object) => object.kind === kind && object.metadata.name === name);
  }

  /** What makes pods, each with `pod` (its template's spec), `labels` (of its pods) and `containers`. */
  workloads() {
    return this.all(...WORKLOADS).map((object) => {
      const { template } = object.spec;
      const containers = [...template.spec.containers, ...(template.spec.initContainers ?? [])];
      return { object, pod: template.spec, labels: template.metadata.labels, containers };
    });
  }

  workload(name) {
    return this.workloads().find(({ object }) => object.metadata.name === name);
  }

  selected(selector) {
    return this.workloads().filter(({ labels }) => fits(selector, labels));
  }

  /** The variables of a container, as it gets them. `secret(name, key)` gives what is not in the rendering. */
  environment(container, secret) {
    const variables = {};
    for (const { configMapRef } of container.envFrom ?? []) {
      Object.assign(variables, this.find('ConfigMap', configMapRef.name)?.data);
    }
    for (const { name, value, valueFrom } of container.env ?? []) {
      const reference = valueFrom?.secretKeyRef;
      const found = reference ? secret(reference.name, reference.key) : value;
      if (found !== undefined) variables[name] = found;
    }
    return variables;
  }
}

/** The number of a container's port, given its name or number; undefined when there is none of this name. */
export function portOf({ containers }, port) {
  const ports = containers.flatMap((container) => container.ports ?? []);
  if (typeof port === 'number') return ports.find(({ containerPort }) => containerPort === port)?.containerPort;
  return ports.find(({ name }) => name === port)?.containerPort;
}

/** Whether the policies let a pod with these labels be reached at, or reach, a port (name or number). */
export function allowed(cluster, labels, direction, port, protocol = 'TCP') {
  const policies = cluster
    .all('NetworkPolicy')
    .filter(({ spec }) => spec.policyTypes.includes(direction) && fits(spec.podSelector, labels));
  const rules = policies.flatMap(({ spec }) => spec[direction.toLowerCase()] ?? []);
  const open = rules.some(
    ({ ports }) => !ports || ports.some((one) => one.port === port && (one.protocol ?? 'TCP') === protocol),
  );
  return policies.length === 0 || open;
}
