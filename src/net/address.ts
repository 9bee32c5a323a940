/**
 * What kind of address is this? IANA special-purpose registries (RFC 6890 and successors), with every IPv6 form that carries an IPv4
 * address unwrapped first, so that no disguise changes the answer. And allow-lists of hosts, addresses and CIDRs.
 */
import { isIP } from "node:net";

export type AddressClass = "public" | "loopback" | "private" | "link-local" | "shared" | "unspecified" | "multicast" | "reserved" | "metadata";

export interface Classified {
  class: AddressClass;
  /** The address after unwrapping, canonical text. */
  effective: string;
}

/** Instance metadata services of the clouds: they hand out credentials to whoever asks. */
const metadata = new Set(["169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.169.253", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"].map((text) => String(toNumber(text))));

const ranges: readonly [cidr: string, kind: AddressClass][] = [
  ["0.0.0.0/32", "unspecified"],
  ["0.0.0.0/8", "reserved"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "shared"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "reserved"],
  ["192.0.2.0/24", "reserved"],
  ["192.31.196.0/24", "reserved"],
  ["192.52.193.0/24", "reserved"],
  ["192.88.99.0/24", "reserved"],
  ["192.168.0.0/16", "private"],
  ["192.175.48.0/24", "reserved"],
  ["198.18.0.0/15", "reserved"],
  ["198.51.100.0/24", "reserved"],
  ["203.0.113.0/24", "reserved"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
  ["::/128", "unspecified"],
  ["::1/128", "loopback"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "private"],
  ["fc00::/7", "private"],
  ["ff00::/8", "multicast"],
];
/** Within 2000::/3, the global unicast space, these are set aside. Everything outside it that no range names is reserved. */
const setAside: readonly string[] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "2620:4f:8000::/48"];

interface Network {
  base: bigint;
  mask: bigint;
  bits: 32 | 128;
}

const table = ranges.map(([cidr, kind]) => ({ ...parseNetwork(cidr), kind }));
const aside = setAside.map(parseNetwork);
const globalUnicast = parseNetwork("2000::/3");

/** @param ip IPv4 dotted or IPv6 text, without brackets; a zone id makes it link-local. @throws TypeError for anything else. */
export function classifyAddress(ip: string): Classified {
  const bare = (ip.split("%", 1)[0] ?? "");
  const family = isIP(bare);
  if (family === 0) throw new TypeError("Not an IP address");
  const value = toNumber(bare);
  if (family === 6) {
    const embedded = embeddedIpv4(value);
    if (embedded !== undefined) return classifyIpv4(embedded);
  } else return classifyIpv4(value);
  const effective = ipv6Text(value);
  if (metadata.has(String(value))) return { class: "metadata", effective };
  const named = table.find((range) => range.bits === 128 && contains(range, value));
  if (named) return { class: named.kind, effective };
  return { class: contains(globalUnicast, value) && !aside.some((range) => contains(range, value)) ? "public" : "reserved", effective };
}

function classifyIpv4(value: bigint): Classified {
  const effective = ipv4Text(value);
  if (metadata.has(String(value))) return { class: "metadata", effective };
  return { class: table.find((range) => range.bits === 32 && contains(range, value))?.kind ?? "public", effective };
}

/** IPv4 within IPv6: mapped, compatible, NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380), ISATAP (RFC 5214). */
function embeddedIpv4(value: bigint): bigint | undefined {
  const low32 = value & 0xffff_ffffn;
  const top96 = value >> 32n;
  if (top96 === 0xffffn) return low32;
  if (top96 === 0n && low32 > 1n) return low32;
  if (top96 === 0x0064_ff9b_0000_0000_0000_0000n) return low32;
  if (value >> 80n === 0x0064_ff9b_0001n) return low32;
  if (top96 === 0xffff_0000n) return low32;
  if (value >> 112n === 0x2002n) return (value >> 80n) & 0xffff_ffffn;
  if (value >> 96n === 0x2001_0000n) return low32 ^ 0xffff_ffffn;
  const interfaceId = (value >> 32n) & 0xffff_ffffn;
  if (interfaceId === 0x0000_5efen || interfaceId === 0x0200_5efen) return low32;
  return undefined;
}

function toNumber(ip: string): bigint {
  if (isIP(ip) === 4) return ip.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n);
  const last = ip.lastIndexOf(":") + 1;
  const embedded = ip.includes(".") ? toNumber(ip.slice(last)) : undefined;
  const text = embedded === undefined ? ip : `${ip.slice(0, last)}${(embedded >> 16n).toString(16)}:${(embedded & 0xffffn).toString(16)}`;
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function ipv4Text(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join(".");
}

function ipv6Text(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16)).join(":");
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}

function parseNetwork(cidr: string): Network {
  const [ip = "", length = ""] = cidr.split("/");
  const bits = isIP(ip) === 4 ? 32 : 128;
  const mask = ((1n << BigInt(bits)) - 1n) ^ ((1n << BigInt(bits - Number(length))) - 1n);
  return { base: toNumber(ip) & mask, mask, bits };
}

function contains({ base, mask }: Network, value: bigint): boolean {
  return (value & mask) === base;
}

/** Hosts, addresses and networks beyond public ones that an operator has allowed. */
export interface AllowList {
  /** Whether this host name (lower-case) on this port was named. */
  allowsHost(host: string, port: number): boolean;
  /** Whether this address on this port was named or lies in a named network. Metadata addresses only when named exactly. */
  allowsAddress(ip: string, port: number): boolean;
}

/**
 * @param entries host names, addresses (IPv6 with or without brackets), CIDRs; hosts and addresses may carry `:port`.
 * @throws TypeError naming the entry that cannot be read.
 */
export function parseAllowList(entries: readonly string[]): AllowList {
  const hosts = new Map<string, Set<number> | "any">();
  const addresses = new Map<string, Set<number> | "any">();
  const networks: Network[] = [];
  const add = (map: typeof hosts, key: string, port: string | undefined) => {
    const known = map.get(key);
    if (port === undefined) map.set(key, "any");
    else if (known !== "any") map.set(key, new Set([...(known ?? []), Number(port)]));
  };
  for (const entry of entries) {
    const cidr = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(entry);
    if (cidr) {
      const family = isIP(cidr[1] ?? "");
      if (family === 0 || Number(cidr[2]) > (family === 4 ? 32 : 128)) throw new TypeError(`SALLYPORT_UPSTREAM_ALLOW: '${entry}' is not a network in CIDR notation`);
      networks.push(parseNetwork(entry));
      continue;
    }
    if (isIP(entry)) {
      add(addresses, classifyAddress(entry).effective, undefined);
      continue;
    }
    const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+))(?::(\d{1,5}))?$/.exec(entry);
    const host = parts?.[1] ?? parts?.[2];
    if (!parts || host === undefined || (parts[1] !== undefined && isIP(parts[1]) !== 6)) throw new TypeError(`SALLYPORT_UPSTREAM_ALLOW: '${entry}' is not a host, address or CIDR`);
    if (isIP(host)) add(addresses, classifyAddress(host).effective, parts[3]);
    else add(hosts, host.toLowerCase().replace(/\.$/, ""), parts[3]);
  }
  const matches = (ports: Set<number> | "any" | undefined, port: number) => ports === "any" || ports?.has(port) === true;
  return {
    allowsHost: (host, port) => matches(hosts.get(host), port),
    allowsAddress(ip, port) {
      const { class: kind, effective } = classifyAddress(ip);
      if (matches(addresses.get(effective), port)) return true;
      if (kind === "metadata") return false;
      const value = toNumber(effective);
      const bits = isIP(effective) === 4 ? 32 : 128;
      return networks.some((network) => network.bits === bits && contains(network, value));
    },
  };
}
