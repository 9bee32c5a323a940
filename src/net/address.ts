/**
 * What kind of address is this? IANA special-purpose registries (RFC 6890 and successors), with every IPv6 form that carries an IPv4
 * address unwrapped, so that no disguise makes an address look better than it is. And allow-lists of hosts, addresses and CIDRs.
 */
import { isIP } from "node:net";

export type AddressClass = "public" | "loopback" | "private" | "link-local" | "shared" | "unspecified" | "multicast" | "reserved" | "metadata";

export interface Classified {
  class: AddressClass;
  /** Where the connection would go, canonical text: the IPv4 address of a mapped or NAT64 form, else the address itself. */
  effective: string;
}

interface Network {
  base: bigint;
  mask: bigint;
  bits: 32 | 128;
}

/** Instance metadata services of the clouds: they hand out credentials to whoever asks. Some stand in public or unremarkable ranges. */
const metadata = new Set(
  ["169.254.169.254", "169.254.169.253", "169.254.170.2", "169.254.170.23", "169.254.0.23", "169.254.42.42", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fe80::a9fe:a9fe"].map(
    (text) => `${isIP(text)} ${toNumber(text)}`,
  ),
);

/** The first network that contains an address names it. */
const special = (
  [
    ["0.0.0.0/32", "unspecified"], // RFC 1122
    ["0.0.0.0/8", "reserved"], // RFC 791
    ["10.0.0.0/8", "private"], // RFC 1918
    ["100.64.0.0/10", "shared"], // RFC 6598
    ["127.0.0.0/8", "loopback"], // RFC 1122
    ["169.254.0.0/16", "link-local"], // RFC 3927
    ["172.16.0.0/12", "private"], // RFC 1918
    ["192.0.0.0/24", "reserved"], // RFC 6890
    ["192.0.2.0/24", "reserved"], // RFC 5737
    ["192.31.196.0/24", "reserved"], // RFC 7535
    ["192.52.193.0/24", "reserved"], // RFC 7450
    ["192.88.99.0/24", "reserved"], // RFC 7526
    ["192.168.0.0/16", "private"], // RFC 1918
    ["192.175.48.0/24", "reserved"], // RFC 7534
    ["198.18.0.0/15", "reserved"], // RFC 2544
    ["198.51.100.0/24", "reserved"], // RFC 5737
    ["203.0.113.0/24", "reserved"], // RFC 5737
    ["224.0.0.0/4", "multicast"], // RFC 5771
    ["240.0.0.0/4", "reserved"], // RFC 1112, with 255.255.255.255
    ["::/128", "unspecified"], // RFC 4291
    ["::1/128", "loopback"], // RFC 4291
    ["fe80::/10", "link-local"], // RFC 4291
    ["fec0::/10", "private"], // RFC 3879
    ["fc00::/7", "private"], // RFC 4193
    ["ff00::/8", "multicast"], // RFC 4291
    ["2001::/23", "reserved"], // RFC 2928, with Teredo, ORCHID and DRIP
    ["2001:db8::/32", "reserved"], // RFC 3849
    ["2002::/16", "reserved"], // RFC 3056
    ["2620:4f:8000::/48", "reserved"], // RFC 7534
    ["3fff::/20", "reserved"], // RFC 9637
    ["2000::/3", "public"], // RFC 3587: all else, such as 100::/64, 64:ff9b:1::/48 and 5f00::/16, is not global unicast.
    ["::/0", "reserved"],
  ] as const
).map(([cidr, kind]) => ({ ...parseNetwork(cidr), kind }));

/** @param ip IPv4 dotted or IPv6 text, without brackets; a zone id is ignored. @throws TypeError for anything else. */
export function classifyAddress(ip: string): Classified {
  const bare = ip.split("%", 1)[0] ?? "";
  const family = isIP(bare);
  if (family === 0) throw new TypeError("Not an IP address");
  const value = toNumber(bare);
  if (family === 4) return { class: classOf(value, 32), effective: ipv4Text(value) };
  const translated = translatedIpv4(value);
  if (translated !== undefined) return { class: classOf(translated, 32), effective: ipv4Text(translated) };
  const effective = ipv6Text(value);
  const own = classOf(value, 128);
  // A tunnel may lead to what it carries: then the worse of the two counts, and a public load makes nothing public.
  const carried = tunnelledIpv4(value).map((inner) => classOf(inner, 32));
  if (own === "metadata" || carried.includes("metadata")) return { class: "metadata", effective };
  if (own !== "public" && own !== "reserved") return { class: own, effective };
  return { class: carried.find((kind) => kind !== "public") ?? own, effective };
}

function classOf(value: bigint, bits: 32 | 128): AddressClass {
  if (metadata.has(`${bits === 32 ? 4 : 6} ${value}`)) return "metadata";
  return special.find((network) => network.bits === bits && contains(network, value))?.kind ?? "public";
}

const low32 = (value: bigint) => value & 0xffff_ffffn;

/** Forms that are the IPv4 address: the operating system (RFC 4291 section 2.5.5.2) or a translator (RFC 6052) connects to exactly that. */
function translatedIpv4(value: bigint): bigint | undefined {
  const prefix = value >> 32n;
  return prefix === 0xffffn || prefix === 0x0064_ff9b_0000_0000_0000_0000n ? low32(value) : undefined;
}

/** IPv4 addresses that an obsolete or local form may carry, by every reading of it. */
function tunnelledIpv4(value: bigint): bigint[] {
  const prefix = value >> 32n;
  const found: bigint[] = [];
  // IPv4-compatible (RFC 4291 section 2.5.5.1) and IPv4-translated (RFC 2765).
  if ((prefix === 0n && low32(value) > 1n) || prefix === 0xffff_0000n) found.push(low32(value));
  // 6to4 (RFC 3056).
  if (value >> 112n === 0x2002n) found.push(low32(value >> 80n));
  // Teredo (RFC 4380): the server, and the client behind inverted bits.
  if (value >> 96n === 0x2001_0000n) found.push(low32(value >> 64n), low32(value) ^ 0xffff_ffffn);
  // Local NAT64 (RFC 8215), whose prefix length is the operator's choice: 48, 56, 64 or 96 (RFC 6052 section 2.2, octet 8 is skipped).
  if (value >> 80n === 0x0064_ff9b_0001n) {
    const withoutOctet8 = ((value >> 64n) << 56n) | (value & 0x00ff_ffff_ffff_ffffn);
    found.push(...[48n, 56n, 64n].map((length) => low32(withoutOctet8 >> (88n - length))), low32(value));
  }
  // ISATAP (RFC 5214), under any prefix.
  const identifier = low32(value >> 32n);
  if (identifier === 0x0000_5efen || identifier === 0x0200_5efen) found.push(low32(value));
  return found;
}

function toNumber(ip: string): bigint {
  if (isIP(ip) === 4) return ip.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n);
  const last = ip.lastIndexOf(":") + 1;
  const dotted = ip.includes(".") ? toNumber(ip.slice(last)) : undefined;
  const text = dotted === undefined ? ip : `${ip.slice(0, last)}${(dotted >> 16n).toString(16)}:${(dotted & 0xffffn).toString(16)}`;
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
  /** Whether this host name (lower-case, without a trailing dot) on this port was named. */
  allowsHost(host: string, port: number): boolean;
  /** Whether this address on this port was named or lies in a named network. Metadata addresses only when named exactly. */
  allowsAddress(ip: string, port: number): boolean;
}

type Ports = Set<number> | "any";

/**
 * @param entries host names such as `localhost`, addresses (IPv6 with or without brackets), CIDRs; hosts and addresses may carry `:port`.
 * A name allows whatever it resolves to except cloud metadata, but not its addresses when they are written out.
 * @throws TypeError naming the entry that cannot be read, and why.
 */
export function parseAllowList(entries: readonly string[]): AllowList {
  const hosts = new Map<string, Ports>();
  const addresses = new Map<string, Ports>();
  const networks: Network[] = [];
  const add = (map: Map<string, Ports>, key: string, port: number | undefined) => {
    const known = map.get(key);
    if (port === undefined) map.set(key, "any");
    else if (known !== "any") map.set(key, new Set([...(known ?? []), port]));
  };
  for (const entry of entries) {
    if (entry.includes("/")) {
      networks.push(readNetwork(entry));
      continue;
    }
    const { host, port } = isIP(entry) ? { host: entry, port: undefined } : readHost(entry);
    if (isIP(host)) add(addresses, classifyAddress(host).effective, port);
    else add(hosts, host, port);
  }
  const matches = (ports: Ports | undefined, port: number) => ports === "any" || ports?.has(port) === true;
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

function readNetwork(entry: string): Network {
  const [, ip = "", length = ""] = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(ip);
  if (family === 0 || Number(length) > (family === 4 ? 32 : 128)) throw unreadable(entry, "is not a network in CIDR notation, such as 10.1.0.0/16");
  if (family === 6 && isIP(classifyAddress(ip).effective) === 4) throw unreadable(entry, "stands for IPv4 addresses: write the IPv4 network");
  return parseNetwork(entry);
}

function readHost(entry: string): { host: string; port: number | undefined } {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+))(?::(\d{1,5}))?$/.exec(entry);
  const bracketed = parts?.[1];
  if (!parts || (bracketed !== undefined && isIP(bracketed) !== 6)) throw unreadable(entry, /^https?:/i.test(entry) ? "is a URL: write its host alone" : "is not a host, address or CIDR");
  const port = parts[3] === undefined ? undefined : Number(parts[3]);
  if (port !== undefined && (port === 0 || port > 65_535)) throw unreadable(entry, "has a port that there is not");
  if (bracketed !== undefined) return { host: bracketed, port };
  const host = (parts[2] ?? "").toLowerCase().replace(/\.$/, "");
  // As the URL's parser will write it: an entry such as 127.1 would otherwise never match anything.
  const written = URL.parse(`http://${host}/`)?.hostname;
  if (written === undefined) throw unreadable(entry, "is not a host, address or CIDR");
  if (written !== host) throw unreadable(entry, `is written ${written}`);
  return { host, port };
}

function unreadable(entry: string, why: string): TypeError {
  return new TypeError(`SALLYPORT_UPSTREAM_ALLOW: '${entry}' ${why}`);
}
