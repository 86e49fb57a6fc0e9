"""A simulated network under Trio's own sockets.

Layers, lowest first:

    plan                        what may happen on a link by itself
    wire                        what steps have in common when they use the network
    link                        one direction between two machines; messages in flight
    endpoint, listening         one end of a connection; the queue in front of ``accept``
    options, opensocket         a socket, as the kernel sees it
    ports, files                who is bound where
    host                        a machine's network stack
    network                     all machines and links of a run
    paths                       socket files under the functions of ``os``
    descriptor, names           a non-blocking socket and a resolver, as Python sees them
    seam                        put underneath Trio's socket code while a run is active
"""

from pyvirt_sim.engine.net.host import Host as Host
from pyvirt_sim.engine.net.link import Link as Link
from pyvirt_sim.engine.net.link import Message as Message
from pyvirt_sim.engine.net.network import Network as Network
from pyvirt_sim.engine.net.network import current_network as current_network
from pyvirt_sim.engine.net.plan import LinkPlan as LinkPlan
