"""One body, two arms: the same steps put to the real thing and to the simulated one, and compared.

`real` fetches and starts the real parts, none of which needs to be installed or to touch this
machine; the other packages hold the bodies.
"""
