"""python3 bench/python.py [MODEL]: what Python adds to the library's calls. PYTHONPATH names the package.

First a forward call of one row at n = 64, against the C call with its arguments ready, in the CPU's time of its thread;
then, with a model of Fashion-MNIST, labels, contribution maps and read-outs of its 10,000 test images, against the same
calls in C. Rounds are interleaved, figures are medians, and results are compared.
"""

import ctypes
import statistics
import sys
import time

import numpy as np

import idelta
from idelta import _nn_abi
from idelta._core_abi import ForwardArgs, check, core

ROUNDS = 9


def interleaved(calls, clock, repeat=1):
    """The median seconds of each call, by name."""
    taken = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            began = clock()
            for _ in range(repeat):
                call()
            taken[name].append((clock() - began) / repeat)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def forward():
    n, rng = 64, np.random.default_rng(1)
    D, x, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((n, n), (1, n), (n,)))
    context = idelta.Context()
    layer = idelta.Delta(context, 0.01 * D, format="f32")
    y, of_c = np.empty_like(x), np.empty_like(x)
    args = ForwardArgs.initial(m=1, x=x.ctypes.data, ldx=n, y=of_c.ctypes.data, ldy=n, bias=bias.ctypes.data)
    by_reference = ctypes.byref(args)
    seconds = interleaved(
        {
            "C, through ctypes": lambda: core.forward(layer._context_address, layer._address, by_reference),
            "forward(x)": lambda: layer.forward(x),
            "forward(x, bias)": lambda: layer.forward(x, bias=bias),
            "forward(x, bias, out)": lambda: layer.forward(x, bias=bias, out=y),
            "forward(x, bias, relu, out)": lambda: layer.forward(x, bias=bias, activation="relu", out=y),
        },
        time.thread_time,
        repeat=5000,
    )
    layer.forward(x, bias=bias, out=y)
    assert np.array_equal(y, of_c)
    print(f"forward, n 64, m 1, f32, {context.isa}")
    for name, value in seconds.items():
        print(f"  {name:30} {1e6 * value:6.2f} us")


def explain(model):
    network = idelta.Network.load(model)
    data = idelta.Dataset.load("fashion-mnist", "test", network=network)
    images = data.images
    nn, rows = _nn_abi.nn(), len(images)
    layers = (network.layers, rows)
    in_c, found = {}, {}

    def call_c():
        """As a program in C that keeps its results: into memory of its own."""
        in_c.clear()  # so that both calls find the same memory free
        at = {"rows": rows, "images": images.ctypes.data, "ld": network.inputs}
        predict, decompose = _nn_abi.initial("predict_args", **at), _nn_abi.initial("decompose_args", **at)
        read_outs = _nn_abi.initial("read_outs")
        shapes = {
            "contribution_maps": (*layers, network.inputs),
            "class_likelihoods": (*layers, network.classes),
            "predictions": layers,
        }
        of_image = dict.fromkeys(("first_final_layer", "final_margin", "final_likelihood"), (rows,))
        in_c["labels"] = _nn_abi.outputs(predict, {"labels": (rows,)})["labels"]
        in_c["decomposed"] = _nn_abi.outputs(decompose, shapes)  # whole: C writes to all of it
        in_c["said"] = _nn_abi.outputs(read_outs, {"predictions": layers[::-1], **of_image})
        check(nn.network_predict(network._address, ctypes.byref(predict)))
        check(nn.network_decompose(network._address, ctypes.byref(decompose)))
        check(nn.network_read_outs(network._address, data._address, ctypes.byref(read_outs)))

    def call_python():
        found.clear()
        found["labels"] = network.predict(images)
        found["maps"] = network.decompose(images).contribution_maps
        found["said"] = network.read_outs(data)

    seconds = interleaved({"C": call_c, "Python": call_python}, time.perf_counter)
    assert np.array_equal(in_c["labels"], found["labels"])
    assert np.array_equal(in_c["decomposed"]["contribution_maps"].reshape(-1), found["maps"].reshape(-1))
    assert np.array_equal(in_c["said"]["predictions"], found["said"].predictions)
    ratio = seconds["Python"] / seconds["C"]
    print(
        f"labels, maps and read-outs of {rows} images: C {seconds['C']:.3f} s, Python {seconds['Python']:.3f} s, "
        f"ratio {ratio:.3f}"
    )


forward()
if len(sys.argv) > 1:
    explain(sys.argv[1])
