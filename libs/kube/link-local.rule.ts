import { BlockList, isIP, type LookupFunction } from 'node:net';
import { ControlError } from '#libs/kernel/control-error.js';

/**
 * Addresses that no API server has, and under which clouds tell machines about themselves, identities and all: the
 * link-local ranges (RFC 3927, RFC 4291), also as a NAT64 writes them (RFC 6052), and those of the platforms beside them
 * (Azure's 168.63.129.16, Amazon's fd00:ec2::254). An IPv4 address that is written as an IPv6 one counts as what it is.
 */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
FORBIDDEN.addAddress('168.63.129.16', 'ipv4');
FORBIDDEN.addAddress('64:ff9b::a83f:8110', 'ipv6');
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6');

/** @param hostname as a URL has it: a name, or an address, in brackets where it is one of IPv6. */
export function isLinkLocal(hostname: string): boolean {
  const [address = ''] = hostname.replace(/^\[(.*)\]$/, '$1').split('%');
  switch (isIP(address)) {
    case 4:
      return FORBIDDEN.check(address, 'ipv4');
    case 6:
      return FORBIDDEN.check(address, 'ipv6');
    default:
      return false;
  }
}

/**
 * Resolves names as the given function does, and refuses those that lead to a link-local address. It is asked for every
 * connection, so that a name cannot lead elsewhere after it was looked at.
 */
export function refusingLinkLocal(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      const addresses = error === null ? (Array.isArray(found) ? found.map(({ address }) => address) : [found]) : [];
      if (addresses.some(isLinkLocal)) callback(linkLocalName(hostname), found, family);
      else callback(error, found, family);
    });
  };
}

function linkLocalName(hostname: string): ControlError {
  return new ControlError(
    'INVALID_KUBECONFIG',
    `The name ${hostname} leads to a link-local address, where no cluster is.`,
    {
      remedy: 'Attach a kubeconfig that names the API server, or have the operator of Pilothouse allow such addresses.',
    },
  );
}
