"""Asks a running device through Triton's own Python clients, HTTP and gRPC, and checks that both
get the same bits, the same descriptions and the protocol's errors.

Usage: triton_clients.py REST_ADDRESS GRPC_ADDRESS MODEL
"""
import sys

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException


def check(condition, what):
    if not condition:
        raise SystemExit("not as the protocol says: " + what)


def refused(call, part):
    try:
        call()
    except InferenceServerException as error:
        check(part in error.message(), "the error '%s' misses '%s'" % (error.message(), part))
        return
    raise SystemExit("no error, expected one with '%s'" % part)


def infer(library, client, model, pixels, binary=True, **more):
    tensor = library.InferInput("input", list(pixels.shape), "UINT8")
    wanted = []
    if library is triton_http:
        tensor.set_data_from_numpy(pixels, binary_data=binary)
        for name in ("logits", "class"):
            wanted.append(library.InferRequestedOutput(name, binary_data=binary))
    else:
        tensor.set_data_from_numpy(pixels)
        for name in ("logits", "class"):
            wanted.append(library.InferRequestedOutput(name))
    more.setdefault("timeout", 60_000_000)  # a busy machine is no error here
    return client.infer(model, [tensor], outputs=wanted, **more)


def main():
    rest, grpc, model = sys.argv[1:4]
    http_client = triton_http.InferenceServerClient(rest)
    grpc_client = triton_grpc.InferenceServerClient(grpc)

    for client in (http_client, grpc_client):
        check(client.is_server_live(), "live")
        check(client.is_server_ready(), "ready")
        check(client.is_model_ready(model), "model ready")
        check(client.is_model_ready(model, "1"), "version ready")

    metadata = http_client.get_model_metadata(model)
    same = grpc_client.get_model_metadata(model, as_json=True)
    check(metadata["name"] == same["name"] == model, "name")
    check(metadata["platform"] == same["platform"], "platform")
    shape = metadata["inputs"][0]["shape"]
    check([str(size) for size in shape] == list(same["inputs"][0]["shape"]), "shape")
    check("binary_tensor_data" in http_client.get_server_metadata()["extensions"], "extensions")
    config = http_client.get_model_config(model)
    check(config["max_batch_size"] > 1, "config")
    check(grpc_client.get_model_config(model).config.max_batch_size == config["max_batch_size"],
          "config over gRPC")
    check(http_client.get_model_repository_index()[0]["state"] == "READY", "index")
    check(grpc_client.get_model_repository_index().models[0].state == "READY", "index over gRPC")

    random = np.random.default_rng(7)
    pixels = random.integers(0, 256, [3] + shape[1:], dtype=np.uint8)
    answers = [
        infer(triton_http, http_client, model, pixels),
        infer(triton_http, http_client, model, pixels, binary=False),
        infer(triton_grpc, grpc_client, model, pixels, request_id="7"),
    ]
    for answer in answers:
        logits, classes = answer.as_numpy("logits"), answer.as_numpy("class")
        check(logits.dtype == np.int32 and logits.shape[0] == 3, "logits")
        check(classes.dtype == np.int64 and classes.shape == (3,), "class")
        check((logits == answers[0].as_numpy("logits")).all(), "equal bits at both doors")
        check((classes == logits.argmax(axis=1)).all(), "class of the largest logit")
    response = answers[0].get_response()
    check(response["parameters"]["braid_operating_point"] != "", "operating point in the answer")
    check(answers[2].get_response().id == "7", "id")

    # A batch gives the bits of its images alone.
    for i in range(3):
        point = {"braid_operating_point": response["parameters"]["braid_operating_point"]}
        alone = infer(triton_grpc, grpc_client, model, pixels[i:i + 1], parameters=point)
        check((alone.as_numpy("logits")[0] == answers[0].as_numpy("logits")[i]).all(), "batch")

    for library, client in ((triton_http, http_client), (triton_grpc, grpc_client)):
        refused(lambda: client.get_model_metadata("nothing"), "this device serves")
        refused(lambda: client.get_model_metadata(model, "99"), "no version")
        refused(lambda: infer(library, client, "nothing", pixels), "this device serves")
        refused(lambda: infer(library, client, model, pixels[:, 1:]), "must be [N,")
        refused(lambda: infer(library, client, model, pixels, parameters={"braid_speed": 1}),
                "braid_speed")
        refused(lambda: client.load_model(model), "is off")
        refused(lambda: client.unload_model(model), "is off")
        infer(library, client, model, pixels, priority=1)

    statistics = http_client.get_inference_statistics(model)["model_stats"][0]
    same = grpc_client.get_inference_statistics(model).model_stats[0]
    check(statistics["inference_stats"]["success"]["count"] == 8, "requests answered")
    check(statistics["inference_count"] == same.inference_count == 18, "images answered")
    check(0 < statistics["execution_count"] <= 8, "executions")

    # Many at a time over one pool of connections.
    pool = triton_http.InferenceServerClient(rest, concurrency=8)
    tensor = triton_http.InferInput("input", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    pending = [pool.async_infer(model, [tensor], timeout=60_000_000) for _ in range(100)]
    for request in pending:
        check((request.get_result().as_numpy("logits") == answers[0].as_numpy("logits")).all(),
              "equal bits, many at a time")
    print("tritonclient: HTTP and gRPC work unmodified")


if __name__ == "__main__":
    main()
