#!/usr/bin/env python3
"""Exports committed models with `braid export` and compares ONNX Runtime with `braid infer`.

usage: onnxruntime_check.py BRAID MODELS_FOLDER [IMAGES]

The integer form must give equal logits, the QDQ form the same class on at least 99.9 % of the images,
99.5 % where the network has a residual backbone: more layers whose roundings differ (docs/onnx.md).
A restorer's image must be equal, or differ by 2 gray levels at most.
Pictures are MNIST's and CIFAR-10's test images where a folder of $BRAID_DATA has them; the generated
`digits` stand in for MNIST. Exit code 77: skipped, since onnxruntime or numpy is missing ($BRAID_PYTHON may name an interpreter that has them).
"""
import glob
import json
import os
import subprocess
import sys
import tarfile
import tempfile

SKIPPED = 77


def import_or_restart():
    try:
        import numpy
        import onnxruntime
        return numpy, onnxruntime
    except ImportError as error:
        python = os.environ.pop("BRAID_PYTHON", None)  # once
        if python:
            os.execv(python, [python] + sys.argv)
        print(f"skipped: {error} (pip install onnxruntime numpy; BRAID_PYTHON names the interpreter)")
        sys.exit(SKIPPED)


np, ort = import_or_restart()
BRAID, MODELS = sys.argv[1:3]
IMAGES = int(sys.argv[3]) if len(sys.argv) > 3 else 1000


def braid(*arguments, **more):
    done = subprocess.run([BRAID, *arguments], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"braid {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def read_idx(path):
    import gzip
    opened = gzip.open(path) if path.endswith(".gz") else open(path, "rb")
    with opened as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)


def mnist_images(environment):
    """MNIST's test images and the set's name, or None twice."""
    for folder in environment.get("BRAID_DATA", "").split(":"):
        path = os.path.join(folder, "mnist", "t10k-images-idx3-ubyte.gz")
        if folder and os.path.exists(path):
            return path, "mnist"
    return None, None


def cifar_images(environment):
    """CIFAR-10's test images [n,32,32,3], or None."""
    for folder in environment.get("BRAID_DATA", "").split(":"):
        for path in glob.glob(os.path.join(folder, "cifar10", "cifar-10-binary.tar*")) if folder else []:
            with tarfile.open(path) as archive:
                member = next(m for m in archive if m.name.endswith("test_batch.bin"))
                records = archive.extractfile(member).read()
            rows = np.frombuffer(records, np.uint8).reshape(-1, 3073)[:, 1:]
            return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return None


def check(model, point, form, pixels, expected, folder, least):
    path = os.path.join(folder, "point.onnx")
    braid("export", model, "--point", point, "--form", form, "--out", path)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    logits, best = [], []
    for first in range(0, len(pixels), 100):
        part = session.run(["logits", "class"], {"input": pixels[first:first + 100]})
        logits.append(part[0])
        best.append(part[1])
    logits, best = np.concatenate(logits), np.concatenate(best)
    same_class = float(np.mean(best == expected.argmax(1)))
    same_logits = float(np.mean(np.all(logits == expected, axis=1)))
    largest = float(np.max(np.abs(logits - expected)))
    passed = same_logits == 1.0 if form == "integer" else same_class >= least
    print(f"{os.path.basename(model)} {point} {form}: {len(pixels)} images, same class "
          f"{same_class:.4%}, same logits {same_logits:.4%}, largest difference {largest:.4g}"
          f"{'' if passed else '  FAILED'}", flush=True)
    return passed


def check_restorer(model, image, folder):
    """The graph's restored image against that of `braid restore`."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
    from code_images import read_png, write_png
    height, width = image.shape
    picture, restored, path = (os.path.join(folder, name) for name in ("a.png", "b.png", "point.onnx"))
    write_png(picture, width, height, image.tobytes())
    braid("restore", "--model", model, picture, "--out", restored)
    expected = np.frombuffer(read_png(restored)[3], np.uint8).reshape(height, width).astype(int)
    passed = True
    for form in ("integer", "qdq"):
        braid("export", model, "--point", "g0-3", "--form", form, "--out", path)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        got = session.run(["restored"], {"input": image[None, :, :, None]})[0][0, :, :, 0]
        difference = np.abs(got.astype(int) - expected)
        most = 0 if form == "integer" else 2
        passed &= int(difference.max()) <= most
        print(f"{os.path.basename(model)} {form}: {height}x{width}, {float(np.mean(difference == 0)):.4%} of the "
              f"pixels equal, largest difference {difference.max()}"
              f"{'' if difference.max() <= most else '  FAILED'}", flush=True)
    return passed


def main():
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)
        path, data = mnist_images(environment)
        if path is None:
            # The generator's files have MNIST's form and stand in for it.
            environment["BRAID_DATA"] = folder
            braid("data", "generate", "digits", "--count", str(IMAGES), "--seed", "9", "--out",
                  os.path.join(folder, "mnist"))
            path = next(os.path.join(folder, "mnist", name)
                        for name in sorted(os.listdir(os.path.join(folder, "mnist")))
                        if name.startswith("t10k-images"))
            data = "generated digits"
        sets = [(data, "mnist", read_idx(path)[:IMAGES], 0.999,
                 (("fluid4_mnist_s1", ["g0-3", "g1", "g0+1,2+3"]), ("fluid4_digits_s1", ["g0-3"]),
                  ("static_mnist_s1", ["g0-3"])))]
        colour = cifar_images(environment)
        if colour is None:
            print("skipped: CIFAR-10's test images (no folder of BRAID_DATA has them)")
        else:
            sets.append(("cifar10", "cifar10", colour[:IMAGES], 0.995,
                         (("fluid2_cifar10_s1", ["g0-3", "g0+1,2+3"]),
                          ("static_resnet20_cifar10_s1", ["g0-3"]),
                          ("static_densenet20_cifar10_s1", ["g0-3"]))))
        passed = True
        for data, name_of_data, pixels, least, models in sets:
            print(f"onnxruntime {ort.__version__}, {len(pixels)} images of {data}")
            for name, points in models:
                model = os.path.join(MODELS, name + ".braid")
                if not os.path.exists(model):
                    print(f"{model} is not there")
                    continue
                for point in points:
                    report = json.loads(braid("infer", "--model", model, "--point", point, "--data",
                                              name_of_data, "--index", f"0..{len(pixels) - 1}",
                                              "--offline", "--json", env=environment))
                    expected = np.array([image["logits"] for image in report["images"]])
                    for form in ("integer", "qdq"):
                        passed &= check(model, point, form, pixels, expected, folder, least)
        restorer = os.path.join(MODELS, "static_vrcnn_t91-hevc37_s1.braid")
        if os.path.exists(restorer):
            # Pictures beside each other, as one.
            side = sets[0][2][:64].reshape(8, 8, 28, 28)
            passed &= check_restorer(restorer, np.ascontiguousarray(
                side.transpose(0, 2, 1, 3).reshape(224, 224)), folder)
        return 0 if passed else 1


sys.exit(main())
