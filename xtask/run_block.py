# Runs a block of a page as a reader would: as a program, or where it awaits at top level, as in a notebook.
import ast
import asyncio
import inspect
import sys
import types

path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    code = compile(file.read(), path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
module = types.ModuleType("__main__")
module.__file__ = path
sys.modules["__main__"] = module
result = eval(code, module.__dict__)
if code.co_flags & inspect.CO_COROUTINE:
    asyncio.run(result)
