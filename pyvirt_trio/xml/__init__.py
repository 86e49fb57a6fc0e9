"""Domain and device descriptions to and from libvirt's XML; nothing else imports lxml.

Text becomes a plain ``Element`` (``parser``), a ``Reader`` makes sure nothing in it is overlooked
(``reader``, ``defaults``), tables say what each element means (``domain``, ``devices`` and
``device_types``), and ``element`` prints the way libvirt does. Everything here is pure.
"""

from pyvirt_trio.xml.devices import format_device as format_device
from pyvirt_trio.xml.devices import parse_device as parse_device
from pyvirt_trio.xml.domain import format_domain as format_domain
from pyvirt_trio.xml.domain import parse_domain as parse_domain
from pyvirt_trio.xml.nodedev import format_node_device as format_node_device
from pyvirt_trio.xml.unique import refuse_duplicates as refuse_duplicates
