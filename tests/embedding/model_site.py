"""A server of models on a real socket of this process, and a model whose preparation is a recipe."""

import threading

from colour_model import ColourModel
from werkzeug.serving import make_server

from embedding.clip.preprocess import Recipe, prepare
from embedding.service import EmbeddingService
from gateway.embed_server import Served, create_app
from havengate.setting_groups import EmbeddingSettings
from havengate.settings import Settings

RECIPE = Recipe(4, None, (4, 4), 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class RecipeModel(ColourModel):
    recipe = RECIPE

    def __init__(self, space="colour-1"):
        super().__init__(space)
        self.texts_seen = []
        self.go = threading.Event()
        self.go.set()
        self.started = threading.Semaphore(0)

    def prepare(self, picture):
        return prepare(self.recipe, picture)

    def embed_texts(self, texts):
        self.texts_seen += texts
        self.started.release()
        assert self.go.wait(30)
        return super().embed_texts(texts)


class ModelSite:
    """Stopped and started again on one port, as a server is that its operator restarts."""

    def __init__(self):
        self.port = 0
        self._server = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, model, name="colour", load=True, **settings):
        embedding = EmbeddingService(EmbeddingSettings(**settings.pop("embedding", {})), {name: lambda _: model})
        served = Served(embedding, (name,))
        if load:
            served.load()
        self._served = served
        self._server = make_server("127.0.0.1", self.port, create_app(served, Settings(**settings)), threaded=True)
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return served

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._served.embedding.close()
            self._server = None
