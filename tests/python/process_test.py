"""Threads, forks, pickles and the end of the process, as notebooks and data loaders bring them about."""

import concurrent.futures
import copy
import gc
import multiprocessing
import pickle
import threading
import time

import numpy as np
from support import TestCase, bits, floats, main, python

import idelta
from idelta._handles import Handle

N = 96
_state = {}  # what forked workers find


def _work(seed):
    x = floats(np.random.default_rng(seed), 40, N)
    return bits(_state["delta"].forward(x, activation="tanh")).tobytes()


class ProcessTest(TestCase):
    def setUp(self):
        D = floats(np.random.default_rng(0), N, N, scale=0.05)
        _state["delta"] = idelta.Delta(self.context, D)

    def test_many_threads_share_a_delta_and_get_the_bits_of_one(self):
        expected = [_work(seed) for seed in range(32)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(_work, range(32))), expected)

    def test_a_thread_gets_its_own_error(self):
        def fail(name):
            try:
                idelta.Context(isa=name)
            except idelta.InvalidArgument as error:
                return f'"{name}"' in str(error)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertTrue(all(pool.map(fail, [f"isa{i}" for i in range(200)])))

    def test_other_threads_run_while_the_library_works(self):
        delta = idelta.Delta(idelta.Context(threads=1), np.zeros((1024, 1024), np.float32) + 1e-3, format="f32")
        x = np.ones((4096, 1024), np.float32)
        delta.forward(x[:1])
        ticks, done = [], threading.Event()

        def tick():
            while not done.is_set():
                ticks.append(time.perf_counter())
                time.sleep(0.001)

        ticker = threading.Thread(target=tick)
        ticker.start()
        began = time.perf_counter()
        delta.forward(x)
        ended = time.perf_counter()
        done.set()
        ticker.join()
        self.assertGreater(sum(began < tick < ended for tick in ticks), 3)

    def test_forked_workers_use_what_their_parent_made(self):
        expected = [_work(seed) for seed in range(8)]
        with multiprocessing.get_context("fork").Pool(3) as pool:
            self.assertEqual(pool.map(_work, range(8)), expected)
        self.assertEqual(_work(0), expected[0])

    def test_a_context_is_pickled_as_its_settings(self):
        again = pickle.loads(pickle.dumps(idelta.Context(isa="scalar", threads=1)))
        self.assertEqual((again.isa, again.threads), ("scalar", 1))
        self.assertEqual(copy.deepcopy(self.context).isa, self.context.isa)

    def test_a_delta_refuses_to_be_pickled_and_says_what_to_do(self):
        self.assert_refused(TypeError, ["pickle D"], pickle.dumps, _state["delta"])

    def test_what_an_object_was_made_with_is_freed_after_it(self):
        for _ in range(20):  # a cycle's objects die in any order
            freed, cycle = [], []
            context = Handle(1, freed.append)
            cycle += [context, Handle(3, freed.append, Handle(2, freed.append, context)), cycle]
            del context, cycle
            gc.collect()
            self.assertEqual(freed, [3, 2, 1])

    def test_objects_may_die_in_any_order_and_in_cycles(self):
        class Holder:
            pass

        for _ in range(50):
            holder = Holder()
            holder.me = holder
            holder.context = idelta.Context()
            holder.delta = idelta.Delta(holder.context, np.eye(8, dtype=np.float32))
            del holder
        gc.collect()

    def test_a_process_ends_quietly_with_objects_alive(self):
        ran = python("-c", "import idelta, numpy; c = idelta.Context(); "
                     "d = idelta.Delta(c, numpy.eye(8, dtype='f')); d.self = d; d.forward(numpy.ones((200, 8), 'f'))")  # fmt: skip
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))


if __name__ == "__main__":
    main()
