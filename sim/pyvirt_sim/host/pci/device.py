"""One PCI device: what it is, and the state the kernel keeps of it."""

from __future__ import annotations

import errno

import attrs
import trio

from pyvirt_sim.host.tree import failure
from pyvirt_trio.models import PciAddress, VfSettings

PCI_BRIDGE_CLASS = 0x0604
"""Upper 16 bits of the class of a PCI-to-PCI bridge."""

DEFAULT_RESETS = ("pm", "bus")
"""What a network card of the kind that is the default here (82574) can do."""


@attrs.define(eq=False, kw_only=True)
class SimPciDevice:
    """A PCI device in a slot of the simulated host.

    Args:
        address: Where it is.
        vendor_id: PCI vendor number.
        product_id: PCI product number.
        class_code: 24-bit PCI class.
        subsystem_vendor_id: Vendor number of the board.
        subsystem_id: Product number of the board.
        revision: PCI revision.
        driver: The host's own driver for it, bound at the start; ``None`` when there is none.
        iommu_group: Its group; ``None`` without an IOMMU.
        network_interface: Name of the network interface it carries while its own driver has it.
        interface_delay_s: How long its driver takes to make that, once it has the device; nothing
            at the start of the machine.
        parent: The bridge it is behind, ``None`` on the root bus (or where nobody looks).
        reset_methods: Names that the kernel has for the ways to reset it, best first; ``bus`` only
            counts while it is alone on its bus.
        bus_reset_works: Whether the link comes back after a reset of the bus. Behind QEMU 7.2's
            root port it does not, as the kernel sees it.
        total_vfs: Virtual functions it can have; 0 without SR-IOV.
        vf_offset: Distance of the first virtual function, in functions.
        vf_stride: Distance between two of them.
        vf_product_id: Their product number; its own when ``None``.
        vf_driver: The host's own driver for them; its own when ``None``.
        physical_function: The device whose virtual function this is.
    """

    address: PciAddress
    vendor_id: int = 0x8086
    product_id: int = 0x10D3
    class_code: int = 0x020000
    subsystem_vendor_id: int = 0x8086
    subsystem_id: int = 0
    revision: int = 0
    driver: str | None = None
    iommu_group: int | None = None
    network_interface: str | None = None
    interface_delay_s: float = 0.0
    parent: PciAddress | None = None
    reset_methods: tuple[str, ...] = DEFAULT_RESETS
    bus_reset_works: bool = True
    total_vfs: int = 0
    vf_offset: int = 1
    vf_stride: int = 1
    vf_product_id: int | None = None
    vf_driver: str | None = None
    physical_function: SimPciDevice | None = None

    own_driver: str | None = attrs.field(init=False)
    interface_at_s: float = attrs.field(init=False, default=0.0)
    """When its driver will have made the interface."""
    override: str | None = attrs.field(init=False, default=None)
    # While a driver gives the device up, its link is gone and no other can have it yet.
    leaving: str | None = attrs.field(init=False, default=None)
    lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    resets: tuple[str, ...] = attrs.field(init=False, default=())
    virtual_functions: dict[int, SimPciDevice] = attrs.field(
        init=False, factory=dict[int, "SimPciDevice"]
    )
    vf_settings: dict[int, VfSettings] = attrs.field(init=False, factory=dict[int, VfSettings])
    """What a network card does with the packets of those that are not as they were made."""
    probes_virtual_functions: bool = attrs.field(init=False, default=True)
    can_be_reset: bool = attrs.field(init=False, default=False)
    hidden: frozenset[str] = attrs.field(init=False, default=frozenset())
    """Attributes that have not appeared yet."""

    def __attrs_post_init__(self) -> None:
        self.own_driver = self.driver

    def power_on(self) -> None:
        """Forget all that was done to it; it is as it was when the machine was built."""
        self.driver = self.own_driver
        self.override = self.leaving = None
        self.interface_at_s = 0.0
        self.lock = trio.Lock()
        self.virtual_functions = {}
        self.vf_settings = {}
        self.probes_virtual_functions = True
        self.hidden = frozenset()

    def sriov_settings(self, index: int) -> VfSettings:
        """What the card does with the packets of one of its virtual functions.

        Raises:
            OSError: ``ENOENT`` without such a function.
        """
        if index not in self.virtual_functions:
            raise failure(errno.ENOENT, str(self.address))
        return self.vf_settings.get(index, VfSettings("00:00:00:00:00:00"))

    @property
    def bound_driver(self) -> str | None:
        """The driver that has it, or that has not quite given it up."""
        return self.driver or self.leaving

    @property
    def has_interface(self) -> bool:
        """Whether its own driver has it, and has made the network interface."""
        is_at_home = self.driver is not None and self.driver == self.own_driver
        is_made = not self.interface_at_s or trio.current_time() >= self.interface_at_s
        return self.network_interface is not None and is_at_home and is_made

    @property
    def is_bridge(self) -> bool:
        """Whether it is a PCI-to-PCI bridge."""
        return self.class_code >> 8 == PCI_BRIDGE_CLASS

    @property
    def bus(self) -> tuple[int, int]:
        """Domain and bus."""
        return self.address.domain, self.address.bus

    @property
    def modalias(self) -> str:
        """What a module is looked for by."""
        code = self.class_code
        return (
            f"pci:v{self.vendor_id:08X}d{self.product_id:08X}sv{self.subsystem_vendor_id:08X}"
            f"sd{self.subsystem_id:08X}bc{code >> 16:02X}sc{code >> 8 & 0xFF:02X}i{code & 0xFF:02X}"
        )

    @property
    def environment(self) -> dict[str, str]:
        """What every event of the device carries, and its attribute ``uevent`` shows."""
        found = {} if self.driver is None else {"DRIVER": self.driver}
        return {
            **found,
            "PCI_CLASS": f"{self.class_code:X}",
            "PCI_ID": f"{self.vendor_id:04X}:{self.product_id:04X}",
            "PCI_SUBSYS_ID": f"{self.subsystem_vendor_id:04X}:{self.subsystem_id:04X}",
            "PCI_SLOT_NAME": str(self.address),
            "MODALIAS": self.modalias,
        }
