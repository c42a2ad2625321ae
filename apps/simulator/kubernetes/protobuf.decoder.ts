import type { Json, JsonObject } from '#libs/kernel/json.js';
import { protobufMessage } from './protobuf.messages.js';
import type { ProtobufField } from './protobuf.messages.js';

/** Before every protobuf body of Kubernetes: `k8s` and a zero. */
const MAGIC = Buffer.from('6b387300', 'hex');
const DELIMITED = 2;

class UnknownField extends Error {}

/** A value of a message as it stands on the wire. */
type Wire = { number: number; kind: 'number'; value: bigint } | { number: number; kind: 'bytes'; value: Buffer };

/**
 * The object in a protobuf body, as it would have been sent as JSON.
 * @returns undefined for a kind that is not known here, or one that has a field which is not.
 * @throws RangeError for bytes that are no such message.
 */
export function decodeKubernetesProtobuf(body: Buffer): JsonObject | undefined {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw new RangeError('The body does not begin as it should.');
  const envelope = bytesByNumber(body.subarray(MAGIC.length));
  const type = bytesByNumber(envelope.get(1) ?? Buffer.alloc(0));
  const apiVersion = type.get(1)?.toString('utf8') ?? '';
  const kind = type.get(2)?.toString('utf8') ?? '';
  if (protobufMessage(kind) === undefined) return undefined;
  try {
    return { apiVersion, kind, ...decodeMessage(kind, envelope.get(2) ?? Buffer.alloc(0)) };
  } catch (error) {
    if (error instanceof UnknownField) return undefined;
    throw error;
  }
}

function decodeMessage(name: string, bytes: Buffer): JsonObject {
  const fields = protobufMessage(name);
  if (fields === undefined) throw new TypeError(`There is no message ${name}`);
  const result: JsonObject = {};
  for (const wire of wires(bytes)) {
    const field = fields.get(wire.number);
    if (field === undefined && !isEmpty(wire)) throw new UnknownField(`${name} ${wire.number}`);
    if (field === undefined || field.type === 'ignored') continue;
    if (field.type.startsWith('map')) {
      const entry = mapEntry(field.type, wire);
      result[field.name] = { ...(result[field.name] as JsonObject | undefined), ...entry };
      continue;
    }
    const value = decodeValue(field, wire);
    if (field.repeated) result[field.name] = [...((result[field.name] as Json[] | undefined) ?? []), value ?? ''];
    else if (value !== undefined) result[field.name] = value;
  }
  return result;
}

function isEmpty(wire: Wire): boolean {
  return wire.kind === 'number' ? wire.value === 0n : wire.value.length === 0;
}

/** undefined for what Go's JSON would leave out. */
function decodeValue({ type }: ProtobufField, wire: Wire): Json | undefined {
  if (wire.kind === 'number') {
    const number = Number(wire.value);
    switch (type) {
      case 'int?':
        return number;
      case 'int':
        return number === 0 ? undefined : number;
      case 'bool?':
        return number !== 0;
      case 'bool':
        return number === 0 ? undefined : true;
      default:
        throw new RangeError(`A number stands where ${type} was expected.`);
    }
  }
  switch (type) {
    case 'text':
      return wire.value.length === 0 ? undefined : wire.value.toString('utf8');
    case 'time':
      return timeOf(wire.value);
    case 'IntOrString':
      return intOrString(wire.value);
    default:
      return decodeMessage(type, wire.value);
  }
}

function mapEntry(type: string, wire: Wire): JsonObject {
  if (wire.kind === 'number') throw new RangeError('A number stands where a map was expected.');
  const entry = bytesByNumber(wire.value);
  const value = entry.get(2) ?? Buffer.alloc(0);
  const key = entry.get(1)?.toString('utf8') ?? '';
  switch (type) {
    case 'map-bytes':
      return { [key]: value.toString('base64') };
    case 'map-quantity':
      return { [key]: bytesByNumber(value).get(1)?.toString('utf8') ?? '' };
    default:
      return { [key]: value.toString('utf8') };
  }
}

function timeOf(bytes: Buffer): string | undefined {
  const seconds = [...wires(bytes)].find(({ number }) => number === 1);
  return seconds?.kind === 'number' ? new Date(Number(seconds.value) * 1000).toISOString() : undefined;
}

function intOrString(bytes: Buffer): Json | undefined {
  let isText = false;
  let number = 0;
  let text = '';
  for (const wire of wires(bytes)) {
    if (wire.kind === 'bytes') text = wire.value.toString('utf8');
    else if (wire.number === 1) isText = wire.value !== 0n;
    else number = Number(wire.value);
  }
  if (isText) return text;
  return number === 0 ? undefined : number;
}

function bytesByNumber(bytes: Buffer): Map<number, Buffer> {
  const result = new Map<number, Buffer>();
  for (const wire of wires(bytes)) if (wire.kind === 'bytes') result.set(wire.number, wire.value);
  return result;
}

function* wires(bytes: Buffer): Generator<Wire> {
  let position = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[position++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new RangeError('A number does not end.');
  };
  while (position < bytes.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    if ((tag & 7) === 0) {
      yield { number, kind: 'number', value: varint() };
      continue;
    }
    // Kubernetes has neither fixed numbers nor groups.
    if ((tag & 7) !== DELIMITED) throw new RangeError(`The field ${number} is of a kind that Kubernetes does not use.`);
    const end = Number(varint()) + position;
    if (end > bytes.length || end < position) throw new RangeError(`The field ${number} is longer than the message.`);
    yield { number, kind: 'bytes', value: bytes.subarray(position, end) };
    position = end;
  }
}
