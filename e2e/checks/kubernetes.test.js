// The manifests of k8s/: that they render, that Kubernetes knows what they say, and what a cluster would show only
// when it is late: names that lead nowhere, settings that no binary reads, pods that are killed while they drain.
import './kubernetes/suite_autoscaling.js';
import './kubernetes/suite_contents.js';
import './kubernetes/suite_copies.js';
import './kubernetes/suite_names.js';
import './kubernetes/suite_network.js';
import './kubernetes/suite_pods.js';
import './kubernetes/suite_settings.js';
