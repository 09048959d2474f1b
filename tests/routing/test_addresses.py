import pytest

from routing.addresses import is_allowed

GLOBAL = ["1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
PRIVATE = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "::1", "fd00::1", "fe80::1%eth0"]
PRIVATE += ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::"]
NEVER = ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
NEVER += ["2002:a9fe:a9fe::", "::169.254.169.254", "0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1"]
NEVER += ["", "localhost", "127.1", "1.1.1.1/32"]


@pytest.mark.parametrize("ip", GLOBAL)
def test_global_addresses_are_allowed(ip):
    assert is_allowed(ip)


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_addresses_need_the_setting(ip, settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    assert not is_allowed(ip)
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    assert is_allowed(ip)


@pytest.mark.parametrize("ip", NEVER)
def test_metadata_and_nonsense_are_never_allowed(ip, settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    assert not is_allowed(ip)
