"""Which addresses an upstream may lie on: the whole world, the operator's own network only if allowed.

The resolver asks this for every address it connects to, so that a host name can't
change its mind after it was saved.
"""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

from django.conf import settings

# Where clouds hand credentials of the machine to whoever asks.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure, Oracle, Huawei
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "100.96.0.96",  # Volcengine
        "168.63.129.16",  # Azure's host
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",  # Google
        "fe80::a9fe:a9fe",  # OpenStack
    )
)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_allowed(ip: str) -> bool:
    """Tell whether an upstream may be at this IP address; False also for what is none."""
    try:
        outer = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    address = _unwrap(outer)
    if {outer, address} & METADATA or address.is_multicast or address.is_unspecified:
        return False
    # 100.64.0.0/10 is neither private nor global: only what is global may pass.
    return address.is_global or bool(settings.ALLOW_PRIVATE_UPSTREAMS)


def _unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address an IPv6 one stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    embedded = address.ipv4_mapped or address.sixtofour
    if embedded is None and (address in NAT64 or (address in COMPATIBLE and int(address) > 1)):
        embedded = IPv4Address(int(address) & 0xFFFFFFFF)
    return embedded or address
