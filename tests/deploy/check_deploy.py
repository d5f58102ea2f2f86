"""Checks deploy/ as far as a machine without a cluster can: the files' structure, the options that
they give to `braid device`, the paths that probes ask and the metrics that the dashboard shows.

Usage: check_deploy.py BRAID MODEL_FILE DEPLOY_FOLDER. Exit code 77: skipped, with the reason.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import urllib.request

try:
    import yaml
except ImportError:
    print("skipped: this Python has no PyYAML (Debian: python3-yaml)")
    sys.exit(77)


def check(condition, what):
    if not condition:
        raise SystemExit("deploy: " + what)


def need(document, path, kind, where):
    """The value at `path` ("spec.template.spec"), which must be of `kind`."""
    value = document
    for part in path.split("."):
        check(isinstance(value, dict) and part in value, "%s: %s is missing" % (where, path))
        value = value[part]
    check(isinstance(value, kind), "%s: %s is a %s" % (where, path, type(value).__name__))
    return value


class Options:
    """What `braid device --help` offers."""

    def __init__(self, braid):
        text = subprocess.run([braid, "device", "--help"], check=True, capture_output=True,
                              text=True).stdout
        self.known = set(re.findall(r"--[a-z][a-z-]*", text))
        check("--model" in self.known, "braid device --help lists no options")

    def check(self, arguments, where):
        check(arguments[0] == "device", where + ": the first argument must be 'device'")
        for argument in arguments[1:]:
            if argument.startswith("--"):
                option = argument.split("=")[0]
                check(option in self.known, "%s: braid device has no %s" % (where, option))


def check_container(container, options, where):
    options.check(need(container, "args", list, where), where)
    need(container, "image", str, where)
    need(container, "resources.limits.memory", str, where)
    security = need(container, "securityContext", dict, where)
    check(security.get("allowPrivilegeEscalation") is False, where + ": privileges may be gained")
    check(security.get("readOnlyRootFilesystem") is True, where + ": the root is writable")
    check(security.get("capabilities", {}).get("drop") == ["ALL"], where + ": capabilities are left")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listens = dict(re.match(r"--(rest|grpc|metrics|listen)=.*:(\d+)$", argument).groups()
                   for argument in container["args"]
                   if re.match(r"--(rest|grpc|metrics|listen)=.*:\d+$", argument))
    paths = set()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        get = need(container, probe + ".httpGet", dict, where)
        port = ports.get(get["port"], get["port"])
        check(str(port) == listens["rest"], "%s: %s asks port %s" % (where, probe, get["port"]))
        secured = any(argument.startswith("--tls-cert") for argument in container["args"])
        check((get.get("scheme") == "HTTPS") == secured, "%s: %s: scheme" % (where, probe))
        paths.add(get["path"])
    for name, port in ports.items():
        check(str(port) in listens.values(), "%s: nobody listens on port %s" % (where, name))
    return paths


def check_kubernetes(path, options):
    documents = [d for d in yaml.safe_load_all(open(path)) if d]
    kinds = {"Service": "v1", "StatefulSet": "apps/v1", "PodDisruptionBudget": "policy/v1",
             "NetworkPolicy": "networking.k8s.io/v1"}
    probes, sets, services, names = set(), [], {}, set()
    for document in documents:
        kind, name = need(document, "kind", str, path), need(document, "metadata.name", str, path)
        where = "%s %s" % (kind, name)
        check(need(document, "apiVersion", str, where) == kinds.get(kind), where + ": apiVersion")
        check((kind, name) not in names, where + ": twice")
        names.add((kind, name))
        if kind == "Service":
            services[name] = document
        elif kind == "StatefulSet":
            sets.append(document)
    for document in sets:
        where = document["metadata"]["name"]
        check(need(document, "spec.replicas", int, where) == 1, where + ": device names are unique")
        check(need(document, "spec.serviceName", str, where) in services, where + ": serviceName")
        pod = need(document, "spec.template.spec", dict, where)
        labels = need(document, "spec.template.metadata.labels", dict, where)
        wanted = need(document, "spec.selector.matchLabels", dict, where)
        check(wanted.items() <= labels.items(), where + ": the selector misses its own pods")
        for service in services.values():
            check(service["spec"]["selector"].items() <= labels.items(), where + ": no service")
        check(need(pod, "securityContext.runAsNonRoot", bool, where), where + ": runs as root")
        container = pod["containers"][0]
        probes |= check_container(container, options, where)
        arguments = container["args"]
        check("--name=" + where in arguments, where + ": --name")
        limits = {argument.split("=")[0]: argument.split("=")[1] for argument in arguments
                  if "=" in argument}
        stop = (int(limits["--notice-ms"]) + int(limits["--grace-ms"])) / 1000
        check(pod["terminationGracePeriodSeconds"] > stop, where + ": killed while it drains")
        volumes = {volume["name"] for volume in pod["volumes"]}
        for each in [container] + pod["initContainers"]:
            for mount in each["volumeMounts"]:
                check(mount["name"] in volumes, "%s: no volume %s" % (where, mount["name"]))
        # Files that the device is told to read are put there by the init container.
        copied = " ".join(pod["initContainers"][0]["args"])
        for option in ("--key-file", "--tls-cert", "--tls-key", "--token-file"):
            check(os.path.basename(limits[option]) in copied, where + ": " + option)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for service in services.values():
            for port in service["spec"]["ports"]:
                check(ports.get(port["targetPort"]) == port["port"], where + ": a service's port")
        for argument in arguments:
            if argument.startswith("--peer="):
                pod_name, service = re.match(r"--peer=([a-z-]+)-0\.([a-z-]+):7000$", argument).groups()
                check(any(s["metadata"]["name"] == pod_name for s in sets), where + ": " + argument)
                check(service in services, where + ": " + argument)
    shares = [next(a for a in s["spec"]["template"]["spec"]["containers"][0]["args"]
                   if a.startswith("--share=")) for s in sets]
    check(len(sets) == 2 and len(set(shares)) == 2, "two devices with shares of their own")
    return probes


def check_kserve(path, options):
    runtime, service = [d for d in yaml.safe_load_all(open(path)) if d]
    check(runtime["apiVersion"] == "serving.kserve.io/v1alpha1", "ServingRuntime: apiVersion")
    check(runtime["kind"] == "ServingRuntime", "ServingRuntime: kind")
    formats = need(runtime, "spec.supportedModelFormats", list, "ServingRuntime")
    check(need(runtime, "spec.protocolVersions", list, "ServingRuntime") == ["v2", "grpc-v2"],
          "ServingRuntime: protocolVersions")
    container = need(runtime, "spec.containers", list, "ServingRuntime")[0]
    check(container["name"] == "kserve-container", "ServingRuntime: KServe looks for this name")
    check("--model-repository=/mnt/models" in container["args"],
          "ServingRuntime: KServe puts models into /mnt/models")
    model = need(service, "spec.predictor.model", dict, "InferenceService")
    check(service["apiVersion"] == "serving.kserve.io/v1beta1", "InferenceService: apiVersion")
    check(model["runtime"] == runtime["metadata"]["name"], "InferenceService: runtime")
    check(model["modelFormat"]["name"] in [f["name"] for f in formats], "InferenceService: format")
    return check_container(container, options, "ServingRuntime")


def check_unit(path, braid, options):
    text = open(path).read()
    command = re.search(r"^ExecStart=(.*)$", text, re.M).group(1)
    program, *arguments = shlex.split(command)
    check(program == "/usr/local/bin/braid", "unit: install puts the program in /usr/local/bin")
    options.check([a for a in arguments if not a.startswith("$")], "unit")
    grace = int(arguments[arguments.index("--grace-ms") + 1]) / 1000
    stop = int(re.search(r"^TimeoutStopSec=(\d+)$", text, re.M).group(1))
    check(stop > grace + 1, "unit: killed while it drains")
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        print("unit: systemd-analyze is not here; its check is left out")
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, os.path.basename(path))
        open(copy, "w").write(text.replace(program, os.path.abspath(braid)))
        result = subprocess.run([analyze, "verify", "--man=no", copy], capture_output=True, text=True)
        about_it = [line for line in result.stderr.splitlines() if os.path.basename(path) in line]
        check(not about_it, "unit: " + " ".join(about_it))
    print("unit: systemd-analyze verify has nothing to say")


def expressions(dashboard):
    for panel in dashboard["panels"]:
        where = "dashboard, " + panel["title"]
        for key in ("id", "type", "gridPos", "datasource", "fieldConfig"):
            check(key in panel, "%s: %s is missing" % (where, key))
        check(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, where + ": beyond the grid")
        check(panel["targets"], where + ": shows nothing")
        for target in panel["targets"]:
            yield where, target["expr"]


def check_dashboard(path, metrics):
    dashboard = json.load(open(path))
    for key in ("title", "uid", "schemaVersion", "templating", "time"):
        check(key in dashboard, "dashboard: %s is missing" % key)
    ids = [panel["id"] for panel in dashboard["panels"]]
    check(len(ids) == len(set(ids)), "dashboard: two panels of one id")
    families = set(re.findall(r"^# TYPE (\S+) ", metrics, re.M))
    names = families | set(re.findall(r"^([a-z_]+)[{ ]", metrics, re.M))
    labels = set(re.findall(r'[{,]([a-z]+)="', metrics)) | {"instance", "job"}
    shown = set()
    queries = list(expressions(dashboard))
    queries += [("dashboard's variables", v["query"]) for v in dashboard["templating"]["list"]
                if v["type"] == "query"]
    for where, expression in queries:
        for name in re.findall(r"\b(?:braid|process|nv)_[a-z_]+\b", expression):
            check(name in names, "%s: there is no metric %s" % (where, name))
            shown.add(re.sub(r"_(bucket|sum|count)$", "", name))
        groups = re.findall(r"by \(([^)]*)\)", expression)
        for label in re.split(r"[ ,]+", ",".join(groups)) + re.findall(r"([a-z]+)(?:=~|!~|!=|=)\"",
                                                                      expression):
            check(not label or label in labels, "%s: no metric has a label %s" % (where, label))
        check(expression.count("(") == expression.count(")"), where + ": brackets")
    ours = {name for name in families if name.startswith("braid_")}
    check(ours <= shown, "dashboard: it does not show " + ", ".join(sorted(ours - shown)))


class Device:
    """A device that serves until this goes."""

    def __init__(self, braid, model):
        self.process = subprocess.Popen(
            [braid, "device", "--json", "--quiet", "--model", model, "--listen", "127.0.0.1:0",
             "--grpc", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
            stdout=subprocess.PIPE, text=True)
        seen = {}
        while not {"listening", "ready"} <= seen.keys():
            line = self.process.stdout.readline()
            check(line, "the device did not start")
            event = json.loads(line)
            seen[event["event"]] = event
        self.rest, self.metrics = seen["listening"]["rest"], seen["listening"]["metrics"]

    def get(self, address, path):
        with urllib.request.urlopen("http://%s%s" % (address, path), timeout=60) as answer:
            return answer.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()


def main():
    braid, model, folder = sys.argv[1:4]
    options = Options(braid)
    probes = check_kubernetes(os.path.join(folder, "kubernetes.yaml"), options)
    probes |= check_kserve(os.path.join(folder, "kserve.yaml"), options)
    check_unit(os.path.join(folder, "braid-device.service"), braid, options)
    scrape = yaml.safe_load(open(os.path.join(folder, "prometheus.yaml")))["scrape_configs"][0]
    check(scrape["scheme"] == "https" and "authorization" in scrape, "prometheus: TLS and token")
    with Device(braid, model) as device:
        for path in sorted(probes):
            check("true" in device.get(device.rest, path), "no good answer at " + path)
        # A counter by operating point, exit or device is there once something was answered.
        metadata = json.loads(device.get(device.rest, "/v2/models"))
        name = metadata["models"][0]
        shape = json.loads(device.get(device.rest, "/v2/models/" + name))["inputs"][0]["shape"]
        pixels = bytes(shape[1] * shape[2] * shape[3])
        request = urllib.request.Request(
            "http://%s/v2/models/%s/infer" % (device.rest, name), data=pixels,
            headers={"Inference-Header-Content-Length": "0"})
        urllib.request.urlopen(request, timeout=60).read()
        check_dashboard(os.path.join(folder, "grafana-dashboard.json"),
                        device.get(device.metrics, "/metrics"))
    print("deploy: the files agree with the program")


main()
