"""Logs as libvirt 9.0.0 writes them, of things that did not happen."""

GOOD_EVENTS = """\
2026-01-02 10:00:00.100+0000: event 'lifecycle' for domain 'demo': Resumed Unpaused
2026-01-02 10:00:00.101+0000: event 'lifecycle' for domain 'demo': Started Booted
2026-01-02 10:00:01.000+0000: event 'device-added' for domain 'demo': rng0
2026-01-02 10:00:02.200+0000: event 'device-removed' for domain 'demo': rng0
2026-01-02 10:00:03.000+0000: event 'tray-change' for domain 'demo' disk sata0-0-0: opened
2026-01-02 10:00:04.000+0000: event 'tunable' for domain 'demo':
\tcputune.vcpupin0: 0
2026-01-02 10:00:05.000+0000: event 'lifecycle' for domain 'demo': Shutdown Finished
2026-01-02 10:00:05.010+0000: event 'lifecycle' for domain 'demo': Stopped Destroyed
events received: 8
"""

STOPPED_LATE = """\
2026-01-02 10:00:00.101+0000: event 'lifecycle' for domain 'demo': Started Booted
2026-01-02 10:00:05.000+0000: event 'lifecycle' for domain 'demo': Started Booted
2026-01-02 10:00:05.010+0000: event 'lifecycle' for domain 'demo': Stopped Destroyed
"""

DAEMON = """\
2026-01-02 10:00:02.000+0000: 4711: debug : qemuDomainObjBeginJobInternal:794 : Starting job: \
API=virDomainDetachDeviceFlags job=modify agentJob=none asyncJob=none (vm=0x7f00aa name=demo, \
current job=none agentJob=none async=none)
2026-01-02 10:00:02.000+0000: 4711: debug : qemuDomainObjBeginJobInternal:841 : Started job: \
modify (async=none vm=0x7f00aa name=demo)
2026-01-02 10:00:02.001+0000: 4711: info : qemuMonitorSend:864 : QEMU_MONITOR_SEND_MSG: \
mon=0x7f00bb msg={"execute":"device_del","arguments":{"id":"rng0"},"id":"libvirt-401"}\\r\\n fd=-1
2026-01-02 10:00:02.002+0000: 4720: info : qemuMonitorJSONIOProcessLine:208 : \
QEMU_MONITOR_RECV_REPLY: mon=0x7f00bb reply={"return": {}, "id": "libvirt-401"}
2026-01-02 10:00:02.150+0000: 4720: info : qemuMonitorJSONIOProcessLine:203 : \
QEMU_MONITOR_RECV_EVENT: mon=0x7f00bb event={"timestamp": {"seconds": 1, "microseconds": 2}, \
"event": "DEVICE_DELETED", "data": {"path": "/machine/peripheral/rng0/virtio-backend"}}
2026-01-02 10:00:02.151+0000: 4720: info : qemuMonitorJSONIOProcessLine:203 : \
QEMU_MONITOR_RECV_EVENT: mon=0x7f00bb event={"timestamp": {"seconds": 1, "microseconds": 3}, \
"event": "DEVICE_DELETED", "data": {"device": "rng0", "path": "/machine/peripheral/rng0"}}
2026-01-02 10:00:02.160+0000: 4711: info : qemuMonitorSend:864 : QEMU_MONITOR_SEND_MSG: \
mon=0x7f00bb msg={"execute":"object-del","arguments":{"id":"objrng0"},"id":"libvirt-402"}\\r\\n
2026-01-02 10:00:02.161+0000: 4720: info : qemuMonitorJSONIOProcessLine:208 : \
QEMU_MONITOR_RECV_REPLY: mon=0x7f00bb reply={"return": {}, "id": "libvirt-402"}
2026-01-02 10:00:02.199+0000: 4711: debug : qemuDomainObjEndJob:1055 : Stopping job: modify \
(async=none vm=0x7f00aa name=demo)
"""

EAGER_DAEMON = DAEMON.replace("10:00:02.151", "10:00:02.300").replace(
    "10:00:02.150", "10:00:02.299"
)
UNANSWERED = "\n".join(line for line in DAEMON.splitlines() if '"id": "libvirt-402"' not in line)
