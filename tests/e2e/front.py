"""A TCP front on loopback in the place of a balancer and of the network behind it: connections go to the node that is its target now, and can
be reset, held in either direction, and what was held can come late."""
import asyncio
import threading


class Line:
    """One connection through the front."""

    def __init__(self, down, up):
        self.down, self.up = down, up  # writers: to the gateway, to the node
        self.held = {'up': [], 'down': []}
        self.hold = {'up': False, 'down': False}

    async def pump(self, reader, way):
        try:
            while data := await reader.read(65536):
                if self.hold[way]:
                    self.held[way].append(data)
                    continue
                await self.pass_on(way, data)
        except OSError:
            pass
        # The end is news too: a network that is gone does not tell it.
        if not self.hold[way]:
            self.close(getattr(self, way))

    async def pass_on(self, way, data):
        writer = getattr(self, way)
        try:
            writer.write(data)
            await writer.drain()
        except (OSError, RuntimeError):
            pass

    async def release(self):
        """What was held arrives now, and everything ends."""
        for way in ('up', 'down'):
            self.hold[way] = False
            held, self.held[way] = self.held[way], []
            await self.pass_on(way, b''.join(held))
        self.close(self.up)
        self.close(self.down)

    @staticmethod
    def close(writer):
        if not writer.is_closing():
            writer.close()


class Front(threading.Thread):
    def __init__(self, target):
        super().__init__(daemon=True)
        self.target = target  # port of a node
        self.lines, self.old = [], []
        self.started = threading.Event()
        self.start()
        assert self.started.wait(10)

    def run(self):
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self.listen())
        self.started.set()
        self.loop.run_forever()

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, '127.0.0.1', 0, backlog=512)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            up_reader, up = await asyncio.open_connection('127.0.0.1', self.target)
        except OSError:
            writer.transport.abort()
            return
        line = Line(writer, up)
        self.lines.append(line)
        await asyncio.gather(line.pump(reader, 'up'), line.pump(up_reader, 'down'))

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def _hold(self, up, down):
        for line in self.lines:
            line.hold = {'up': up, 'down': down}
        self.old, self.lines = self.old + self.lines, []

    async def _release(self):
        old, self.old = self.old, []
        for line in old:
            await line.release()

    async def _reset(self):
        lines, self.lines = self.lines, []
        for line in lines:
            line.down.transport.abort()
            line.up.transport.abort()

    def hold(self, up=True, down=True):
        """From now on nothing passes in these directions; connections that come later are not concerned."""
        self.call(self._hold(up, down))

    def release(self):
        """What was held arrives, late, and these connections end."""
        self.call(self._release())

    def reset(self):
        self.call(self._reset())

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(10)
