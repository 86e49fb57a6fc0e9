"""The QEMU Machine Protocol: how this library speaks with QEMU's monitor.

``wire`` is the protocol without input or output, ``session`` runs it on a Trio stream,
``websocket`` makes a stream of a WebSocket, ``schema`` reads what a QEMU says it can do. Nothing is
re-exported here, so that ``wire`` can be imported where there is no Trio.
"""
