#!/usr/bin/env bash
# Checks what docs/kubernetes.md promises on a real cluster: scaling, rollouts, evictions, rotated passwords, a pod that is deleted by
# force, a frozen broker and a frozen replica, all under load, with the verdict of `audit` on the logs of the pods.
#
#   bash tests/kubernetes.sh
#
# Needs kubectl with a cluster that may be used for tests, and cargo for `audit`. The nodes must have the images. If LOAD_IMAGE is set, the
# script builds the images with Docker and puts each of them on the nodes with that command, such as `kind load docker-image`. Uses a
# namespace of its own and removes it at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=steps.sh
source tests/steps.sh

RATE=200
# The limit of tests/compose.sh, for each of the three events after which a replica can't commit what it processed: a forced deletion, a
# frozen broker that then expels the members of the group, and a frozen replica.
REPEATS_MAX=$((3 * 2 * RATE))
namespace=kafka-pair-check
work=$(mktemp -d)
kube() { timeout 300 kubectl -n "$namespace" "$@"; }

evidence=
clean_up() {
  [[ -z $evidence ]] || kill "$evidence"
  kubectl delete namespace "$namespace" --wait=false
  rm -rf "$work"
} >/dev/null 2>&1
trap clean_up EXIT
show_state() {
  kube get pods -o wide
  kube get events --sort-by=.lastTimestamp | tail -n 20
  mkdir -p target/kubernetes && cp -r "$work"/. target/kubernetes/ && echo "the files of this check are in target/kubernetes"
}

# Kustomize accepts only relative paths to other kustomizations, so the ones for this check are inside the repository.
variant=target/kubernetes-check
rm -rf "$variant"
# kustomization NAME BASE [LINE...]
kustomization() {
  mkdir -p "$variant/$1"
  printf '%s\n' "resources: [../../../deploy/kubernetes/$2]" "${@:3}" >"$variant/$1/kustomization.yaml"
}

pods() { kube get pods -l "app.kubernetes.io/name=$1" -o name | cut -d/ -f2; }
# ready NAME COUNT: there are exactly that many pods of that name, and all of them are ready.
ready() {
  local states
  states=$(kube get pods -l "app.kubernetes.io/name=$1" \
    -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}')
  [[ $(grep -c . <<<"$states") == "$2" && $(grep -c True <<<"$states") == "$2" ]]
}
none_ready() {
  local states
  states=$(kube get pods -l "app.kubernetes.io/name=$1" -o 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}')
  [[ -n $states && $states != *True* ]]
}
restarts() { kube get pod "$1" -o 'jsonpath={.status.containerStatuses[0].restartCount}'; }
restarted() { (($(restarts "$1") > $2)); }
received() { grep -q '"message received"' <(kube logs --tail 20 "$1"); }
each_received() {
  local pod
  for pod in $(pods consumer-svc); do received "$pod" || return 1; done
}
# Messages are acknowledged, and each replica receives messages.
messages_flow() { ready producer-svc 1 && grep -q '"message delivered"' <(kube logs --since 3s deployment/producer-svc) && each_received; }
in_kafka() { kube exec -i kafka-0 -c setup -- bash -c "$1"; }
nothing_left() {
  local lags
  lags=$(in_kafka '/opt/kafka/bin/kafka-consumer-groups.sh --bootstrap-server localhost:19092 --describe --group demo' |
    awk '$2 == "demo" {print $6}')
  [[ -n $lags && -z ${lags//[0[:space:]]/} ]]
}
# Stops the producer and waits until everything is consumed.
drain() {
  kube scale deployment/producer-svc --replicas 0
  wait_for 60 "the producer is gone" ready producer-svc 0
  wait_for 60 "everything is consumed and committed" nothing_left
}
evict() {
  printf '{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "%s"}}' "$1" |
    kubectl create --raw "/api/v1/namespaces/$namespace/pods/$1/eviction" -f - 2>&1
}
gone() {
  local pod
  pod=$(kube get pod "$1" --ignore-not-found -o name) && [[ -z $pod ]]
}

step "the manifests are valid"
# An interrupted check may have left its namespace behind.
kubectl delete namespace "$namespace" --ignore-not-found --timeout=120s
kubectl create namespace "$namespace" >/dev/null
kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
# Sets the rate, and shares the process namespace of each pod: a process that is PID 1 of its namespace can't be frozen by a signal from
# inside the pod.
kustomization dev overlays/dev "namespace: $namespace" \
  "configMapGenerator: [{name: kafka-pair, behavior: merge, literals: [PRODUCER_RATE_PER_SEC=$RATE]}]" \
  'patches:' \
  '  - {target: {kind: Deployment}, path: shared.yaml}' \
  '  - {target: {kind: StatefulSet}, path: shared.yaml}'
echo '- {op: add, path: /spec/template/spec/shareProcessNamespace, value: true}' >"$variant/dev/shared.yaml"
kustomization production overlays/production
for component in keda pod-monitor static-membership strimzi; do
  kustomization "$component" overlays/production "components: [../../../deploy/kubernetes/components/$component]"
done
# The example for mutual TLS in docs/kubernetes.md.
kustomization mutual-tls overlays/production \
  'configMapGenerator: [{name: kafka-pair, behavior: merge, literals: [KAFKA_SECURITY_PROTOCOL=SSL, KAFKA_SASL_MECHANISM=]}]' \
  'patches:' \
  '  - target: {kind: Deployment}' \
  '    patch: |-' \
  '      - {op: remove, path: /spec/template/spec/containers/0/env/1}' \
  '      - {op: remove, path: /spec/template/spec/containers/0/env/0}'
kustomization all overlays/production \
  'components: [../../../deploy/kubernetes/components/strimzi, ../../../deploy/kubernetes/components/pod-monitor, ../../../deploy/kubernetes/components/keda]'
for directory in "$variant"/*; do
  name=${directory##*/}
  kubectl kustomize "$directory" >"$work/$name.yaml"
  if kube apply --dry-run=server --validate=strict -f "$work/$name.yaml" >"$work/$name.answer" 2>&1; then
    echo "$name: $(wc -l <"$work/$name.answer") objects"
  elif grep -vE ' (created|unchanged|configured) \(server dry run\)$|no matches for kind|^ensure CRDs are installed first$' \
    "$work/$name.answer"; then
    fail "$name is not valid"
  else
    echo "$name: valid, apart from kinds that this cluster does not know, which are NOT CHECKED:" \
      "$(grep -oE 'no matches for kind "[^"]+"' "$work/$name.answer" | cut -d'"' -f2 | sort -u | tr '\n' ' ')"
  fi
  ! grep -i warning "$work/$name.answer" || fail "the API server warns about $name"
done

if [[ -n ${LOAD_IMAGE:-} ]]; then
  step "the images are built and loaded"
  docker compose build --quiet producer consumer
  for image in kafka-pair/producer-svc:0.1.0 kafka-pair/consumer-svc:0.1.0 apache/kafka:4.2.0; do
    $LOAD_IMAGE "$image" >/dev/null
  done
fi

step "the pair starts in a namespace that enforces the restricted profile"
bash deploy/kubernetes/evidence.sh "$work/evidence" "$namespace" &
evidence=$!
kubectl apply -k "$variant/dev" >/dev/null
wait_for 180 "the broker is ready" ready kafka 1
wait_for 60 "the producer is ready" ready producer-svc 1
wait_for 60 "2 replicas are ready" ready consumer-svc 2
wait_for 60 "messages flow to both replicas" messages_flow
kube logs -l app.kubernetes.io/name=consumer-svc --prefix --tail 1 | cut -c1-150

step "3, 11, 1 and 2 replicas"
for replicas in 3 11 1 2; do
  kube scale deployment/consumer-svc --replicas "$replicas" >/dev/null
  wait_for 120 "$replicas replicas are ready" ready consumer-svc "$replicas"
done
wait_for 60 "messages flow" messages_flow

step "both services are restarted by a rollout"
kube rollout restart deployment/producer-svc deployment/consumer-svc >/dev/null
for service in producer-svc consumer-svc; do kube rollout status "deployment/$service" --timeout 180s | tail -n 1; done
wait_for 60 "messages flow" messages_flow

step "evictions, as when a node is drained"
read -r -d '' first second < <(pods consumer-svc; printf '\0') || true
evict "$first" >/dev/null || fail "the first eviction was refused"
answer=$(evict "$second") && fail "two replicas were evicted at once"
[[ $answer == *"disruption budget"* ]] || fail "the second eviction was refused for another reason: $answer"
echo "ok: the second eviction is refused: $answer"
wait_for 120 "the first replica is gone" gone "$first"
wait_for 120 "2 replicas are ready" ready consumer-svc 2
evict_when_permitted() { evict "$second"; }
wait_for 60 "the second eviction is accepted" evict_when_permitted
wait_for 120 "the second replica is gone" gone "$second"
wait_for 120 "2 replicas are ready" ready consumer-svc 2
producer=$(pods producer-svc)
evict "$producer" >/dev/null || fail "the producer was not evicted"
wait_for 120 "the evicted producer is gone" gone "$producer"
wait_for 120 "messages flow" messages_flow

step "the passwords are rotated"
for service in producer consumer; do
  password=$(head -c 24 /dev/urandom | base64 | tr -d '/+')
  # Connections that are logged in stay open; new pods read the new password from the Secret.
  in_kafka "umask 077; printf 'SCRAM-SHA-512=password=%s\n' '$password' >/tmp/rotated &&
    /opt/kafka/bin/kafka-configs.sh --bootstrap-server localhost:19092 --alter --entity-type users --entity-name $service \
      --add-config-file /tmp/rotated" >/dev/null
  kube create secret generic "$service-svc" --from-literal "password=$password" --dry-run=client -o yaml |
    kube apply -f - >/dev/null 2>&1
  kube rollout restart "deployment/$service-svc" >/dev/null
  kube rollout status "deployment/$service-svc" --timeout 180s | tail -n 1
done
wait_for 60 "messages flow" messages_flow

step "the verdict: until here nothing is missing and nothing is repeated"
drain
expect_proven 0 "$work"/evidence/*.log
expect_no_proof_without_a_line 0 "$work"/evidence/*.log

step "a pod is deleted by force"
kube scale deployment/producer-svc --replicas 1
wait_for 120 "messages flow" messages_flow
victim=$(pods consumer-svc | head -n 1)
kube delete pod "$victim" --force --grace-period 0 2>/dev/null
wait_for 120 "2 replicas are ready" ready consumer-svc 2
wait_for 60 "messages flow" messages_flow

# Sends signal $2 to the processes named $1. Runs in a container of the same pod, which shares the process namespace and has the same user.
# shellcheck disable=SC2016
signal='for stat in /proc/[0-9]*/comm; do if [[ $(<"$stat") == "$1" ]]; then pid=${stat#/proc/}; kill -s "$2" "${pid%/comm}"; fi; done'

step "the broker freezes"
before=$(for pod in $(pods producer-svc) $(pods consumer-svc); do echo "$pod $(restarts "$pod")"; done)
kube exec kafka-0 -c kafka -- bash -c "$signal" - java STOP
wait_for 90 "no replica is ready" none_ready consumer-svc
wait_for 90 "the producer is not ready" none_ready producer-svc
# Longer than failing liveness probes would need to restart a pod.
sleep 45
kube exec kafka-0 -c kafka -- bash -c "$signal" - java CONT
after=$(for pod in $(pods producer-svc) $(pods consumer-svc); do echo "$pod $(restarts "$pod")"; done)
[[ $before == "$after" ]] || fail "pods were restarted: $before, then $after"
echo "ok: no pod was restarted"
wait_for 120 "2 replicas are ready" ready consumer-svc 2
wait_for 60 "messages flow" messages_flow

step "a replica freezes"
victim=$(pods consumer-svc | head -n 1)
printf '%s' '{"securityContext": {"runAsUser": 65532, "runAsNonRoot": true, "allowPrivilegeEscalation": false,
  "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}}' >"$work/custom.json"
kube debug "$victim" --image apache/kafka:4.2.0 --profile restricted --custom "$work/custom.json" -c freezer \
  -- bash -c "$signal" - consumer-svc STOP >/dev/null 2>&1
wait_for 180 "the kubelet has restarted the frozen replica" restarted "$victim" 0
wait_for 120 "2 replicas are ready" ready consumer-svc 2
wait_for 60 "messages flow" messages_flow

step "the verdict: nothing is missing, and the repeats are within the limit"
drain
kube scale deployment/consumer-svc --replicas 0
wait_for 60 "all replicas are gone" ready consumer-svc 0
expect_proven "$REPEATS_MAX" "$work"/evidence/*.log

step "done in $SECONDS s"
