import { type Json, type JsonObject, jsonText } from '#libs/kernel/json.js';
import { PROTOBUF_MESSAGES, type ProtobufField } from './protobuf.messages.js';

/** What every body begins with: `k8s` and a zero. */
const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0]);

/**
 * What kubectl's typed commands send: an envelope that names the kind, and the kind's own message in it.
 * @returns undefined for a body that is none, or a kind or field that is not known here: it would be stored incompletely
 */
export function parseProtobuf(bytes: Buffer): JsonObject | undefined {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  try {
    const envelope = decode(bytes.subarray(MAGIC.length), 'Unknown');
    const { apiVersion, kind } = (envelope.typeMeta ?? {}) as JsonObject;
    const raw = envelope.raw;
    if (typeof kind !== 'string' || !Object.hasOwn(PROTOBUF_MESSAGES, kind)) return undefined;
    const object = decode(Buffer.from(typeof raw === 'string' ? raw : '', 'base64'), kind);
    return { apiVersion: apiVersion ?? '', kind, ...object };
  } catch (error) {
    if (error instanceof UndecodableError) return undefined;
    throw error;
  }
}

class UndecodableError extends Error {
  override readonly name = 'UndecodableError';
}

/** Reads one message from its start to its end. */
class Reader {
  #position = 0;

  constructor(private readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.#position >= this.bytes.length;
  }

  varint(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.#position++];
      if (byte === undefined) throw new UndecodableError('The message ends within a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw new UndecodableError('A number is too long');
  }

  block(): Buffer {
    const length = this.varint();
    const end = this.#position + length;
    if (length < 0 || end > this.bytes.length) throw new UndecodableError('The message ends within a field');
    const block = this.bytes.subarray(this.#position, end);
    this.#position = end;
    return block;
  }
}

const VARINT = 0;
const BLOCK = 2;

function decode(bytes: Buffer, message: string): JsonObject {
  const fields = PROTOBUF_MESSAGES[message]!;
  const reader = new Reader(bytes);
  const object: JsonObject = {};
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    const wire = tag & 7;
    if (wire !== VARINT && wire !== BLOCK) throw new UndecodableError(`Wire type ${wire} of ${message}`);
    const field = fields[tag >>> 3];
    const value = wire === VARINT ? reader.varint() : reader.block();
    if (field !== undefined) add(object, field, value);
    // Clients in Go write zeros out: nothing is lost with them.
    else if (typeof value === 'number' ? value !== 0 : value.length > 0)
      throw new UndecodableError(`Field ${tag >>> 3} of ${message}`);
  }
  return object;
}

/** Adds a value unless it is the zero of a member that JSON leaves out. */
function add(object: JsonObject, field: ProtobufField, value: number | Buffer): void {
  const { name, type } = field;
  if (type === 'ignored') return;
  if (typeof type === 'object') {
    const entry = entryOf(value, type.map);
    object[name] = { ...(object[name] as JsonObject | undefined), [entry.key]: entry.value };
    return;
  }
  const decoded = scalarOf(value, type);
  if (field.repeated === true) object[name] = [...((object[name] as Json[] | undefined) ?? []), decoded];
  else if (field.always === true || !isZero(decoded)) object[name] = decoded;
}

function scalarOf(value: number | Buffer, type: string): Json {
  const isNumber = type === 'bool' || type === 'int';
  if (isNumber !== (typeof value === 'number')) throw new UndecodableError(`A ${type} in another form`);
  if (typeof value === 'number') return type === 'bool' ? value !== 0 : value;
  if (type === 'string') return value.toString('utf8');
  if (type === 'bytes') return value.toString('base64');
  if (type === 'IntOrString') {
    const { intVal = 0, strVal = '' } = decode(value, 'IntOrString');
    return strVal === '' ? intVal : strVal;
  }
  return decode(value, type);
}

function entryOf(value: number | Buffer, type: 'string' | 'bytes'): { key: string; value: string } {
  if (typeof value === 'number') throw new UndecodableError('A map is no number');
  const { key, value: content } = decode(value, type === 'string' ? 'TextEntry' : 'BytesEntry');
  return { key: jsonText(key), value: jsonText(content) };
}

function isZero(value: Json): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === '' || value === 0 || value === false;
}
