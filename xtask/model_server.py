"""Serves one GGUF model on loopback with llama.cpp's HTTP server.

Prints `READY http://127.0.0.1:PORT` once requests are answered. Ends when its
standard input closes, so it never outlives the program that started it, however
that program ended.

Arguments: MODEL_FILE MODEL_NAME PORT (0 asks the system for a free port).
"""

import os
import sys

import xllamacpp


def main() -> None:
    model_file, model_name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])

    params = xllamacpp.CommonParams()
    params.model.path = model_file
    params.model_alias = {model_name}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    # One thread: with two, the threads of a small model wait for each other on a
    # busy machine and the speed falls by an order of magnitude.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    # Two conversations at a time, 4,096 tokens each.
    params.n_parallel = 2
    params.n_ctx = 2 * 4096
    # A caller that does not ask for a temperature gets the same answer each time.
    params.sampling.temp = 0.0
    params.use_jinja = True
    params.offline = True
    params.ui = False
    params.cache_ram_mib = 0

    server = xllamacpp.Server(params)
    print(f"READY {server.listening_address}", flush=True)

    while sys.stdin.buffer.read(4096):
        pass
    # Not a normal exit: that would wait for answers nobody reads any more.
    os._exit(0)


try:
    main()
except KeyboardInterrupt:
    os._exit(130)
