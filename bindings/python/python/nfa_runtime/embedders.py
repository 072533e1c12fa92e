"""Embedders: texts as vectors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from . import _host, _process
from ._host import Given, Host, words_of
from .errors import NfaError, stated

if TYPE_CHECKING:
    from ._generated.types import Usage
    from ._native import CallInfo
    from ._native import Embedder as NativeEmbedder


class EmbedderLike(Protocol):
    """An embedder of your own: `embed` gives a vector for each text, sync or async."""

    @property
    def name(self) -> str:
        """`provider/model`: what is stored beside a vector."""
        ...

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        ...

    @property
    def embed(self) -> Callable[[list[str]], Any]:
        """The vectors of texts, in their order."""
        ...


class Embedded:
    """Vectors, with what they cost and who made them."""

    __slots__ = ("model", "usage", "vectors")

    def __init__(self, vectors: list[list[float]], usage: Usage, model: str) -> None:
        self.vectors = vectors
        """One for each text, in the order of the texts."""
        self.usage = usage
        """What it cost."""
        self.model = model
        """The model that answered, as the provider names it."""


class Embedder:
    """Makes vectors of texts: by a provider, or by an object of your own, which is held to its promises.

    Example::

        embedder = Embedder("openai/text-embedding-3-small")
        embedded = await embedder.embed(["rain", "snow"])
    """

    def __init__(
        self,
        model: str | Mapping[str, Any] | EmbedderLike,
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        dimensions: int | None = None,
    ) -> None:
        """An embedder.

        Args:
            model: `provider/model`, a mapping with the members of a model's spec, or an embedder of your own.
            base_url: where the provider is, when it is not its usual place.
            api_key_env: the environment variable that holds the key.
            dimensions: how long the vectors are to be, where the model can choose.
        """
        self._own: Any = None
        self._native: NativeEmbedder | None = None
        if not isinstance(model, (str, Mapping)):
            self._own = model
            self.name = model.name
            return
        from ._native import Embedder as NativeEmbedder

        spec: dict[str, Any] = {"name": model} if isinstance(model, str) else dict(model)
        if base_url is not None:
            spec["base_url"] = base_url
        if api_key_env is not None:
            spec["api_key_env"] = api_key_env
        if dimensions is not None:
            spec["settings"] = {"extra": {"dimensions": dimensions}}
        self._native = NativeEmbedder.of_provider(_process.engine(), spec)
        self.name = self._native.name

    @property
    def dimensions(self) -> int | None:
        """How many numbers a vector has; `None` before the first answer of a model that was not told."""
        return int(self._own.dimensions) if self._native is None else self._native.dimensions

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """The vectors of `texts`, in their order.

        Raises:
            NfaError: `embedding_text_empty` for a text that says nothing; what the provider gives.
        """
        host = _host.current()
        native = self._native
        if native is None:
            from ._native import Embedder as NativeEmbedder

            own = self._own
            native = NativeEmbedder.of_object(host.native, own.name, own.dimensions, _Served(own))
        answer = await host.wait(native.embed(host.native, list(texts)))
        return Embedded(answer["vectors"], answer["usage"], answer["model"])


class _Served:
    """An embedder of Python's behind the engine's port."""

    __slots__ = ("_context", "_embed")

    def __init__(self, own: Any) -> None:
        self._embed = own.embed
        self._context = copy_context()

    def _begin(self, host: Host, call: int, method: str, info: CallInfo | None, arguments: Any) -> None:
        texts = arguments["texts"]
        native, embed = host.native, self._embed
        given = Given(None, self._context)

        def fail(error: BaseException) -> None:
            if isinstance(error, NfaError):
                native.stated(call, stated(error))
            else:
                native.raised(call, words_of(error))

        if inspect.iscoroutinefunction(embed):

            async def work() -> None:
                try:
                    native.answer(call, _embedded(await embed(texts)))
                except Exception as error:
                    fail(error)

            host.start(call, work, given)
            return

        def work_in_thread() -> None:
            try:
                native.answer(call, _embedded(embed(texts)))
            except BaseException as error:
                fail(error)

        host.start_thread(work_in_thread, given)


def _embedded(given: Any) -> Any:
    if isinstance(given, Mapping):
        return dict(given)
    tolist = getattr(given, "tolist", None)
    vectors = tolist() if tolist is not None else [list(vector) for vector in given]
    return {"vectors": vectors}
