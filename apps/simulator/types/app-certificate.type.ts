import { Duplex } from 'node:stream';
import { TLSSocket, createSecureContext } from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import type { ResourceTypeDescriptor, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import {
  AT_ONCE,
  CERTIFICATE_TYPE,
  DELETED_AT_ONCE,
  HOST_NAME_BINDING_TYPE,
  WEB_API_VERSIONS,
  customLocationOf,
  extendedLocationBody,
  refuseOtherExtendedLocation,
  shownLocation,
  webConflict,
  webError,
  withoutState,
} from './app-service.family.js';

/** Comes in and is told to nobody. */
const CONTENT = ['pfxBlob', 'password'];

/** A certificate with its key, for the host names of web apps. What it tells is read from the certificate itself. */
export const appCertificateType: ResourceTypeDescriptor = {
  type: CERTIFICATE_TYPE,
  apiVersions: WEB_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['extendedLocation', 'kind'],
  readOnly: [
    'properties.expirationDate',
    'properties.issueDate',
    'properties.issuer',
    'properties.subjectName',
    'properties.thumbprint',
    'properties.valid',
  ],
  hidesSystemData: true,
  protocols: { put: AT_ONCE, patch: AT_ONCE, delete: DELETED_AT_ONCE },
  recordsLastOperation: false,
  actions: new Map(),

  validateName(name) {
    if (name.length > 260) throw webError(400, 'BadRequest', `The certificate name '${name}' is too long.`);
  },
  planPut,
  planPatch({ id, requested, existing }) {
    const sent = omit(objectAt(requested, 'properties'), CONTENT);
    const properties = mergePatch(objectAt(existing.body, 'properties'), sent);
    return { writes: [{ id, body: { ...existing.body, properties }, state: 'Succeeded' }] };
  },
  planDelete(certificate, id, world) {
    const thumbprint = textAt(objectAt(certificate.body, 'properties'), 'thumbprint');
    const binding = world
      .ofSubscription(HOST_NAME_BINDING_TYPE, certificate.subscriptionId)
      .find(({ body }) => textAt(objectAt(body, 'properties'), 'thumbprint') === thumbprint);
    if (binding !== undefined) {
      throw webError(409, 'Conflict', `The certificate is used for the host name '${binding.name}'.`);
    }
    return { writes: [{ id, body: certificate.body, state: 'Deleting' }], removes: [{ id, state: 'Deleting' }] };
  },
  conflict: webConflict,
  references: (body) => [customLocationOf(body)].filter((key) => key !== undefined),
  present: (certificate) => ({
    ...certificate.body,
    location: shownLocation(textAt(certificate.body, 'location')),
    properties: withoutState(objectAt(certificate.body, 'properties')),
  }),
};

function planPut({ id, requested, existing }: WriteRequest): WritePlan {
  refuseOtherExtendedLocation(id, requested, existing);
  const sent = objectAt(requested, 'properties');
  const content = textAt(sent, 'pfxBlob');
  if (content === undefined && existing === undefined) {
    throw webError(400, 'BadRequest', 'The parameter pfxBlob is required.', 'pfxBlob');
  }
  const told =
    content === undefined
      ? objectAt(existing?.body, 'properties')
      : described(leafOf(Buffer.from(content, 'base64'), textAt(sent, 'password') ?? ''));
  const body: JsonObject = {
    ...omit(requested, ['properties', 'extendedLocation']),
    location: canonicalLocation(textAt(requested, 'location') ?? ''),
    ...extendedLocationBody(requested),
    properties: { ...told, ...omit(sent, CONTENT) },
  };
  return { writes: [{ id, body, state: 'Succeeded' }] };
}

/** The certificate of a PKCS #12 file that belongs to its key. @throws ArmError BadRequest */
function leafOf(pfx: Buffer, passphrase: string): X509Certificate {
  let leaf: X509Certificate | undefined;
  try {
    const silent = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const socket = new TLSSocket(silent, { isServer: true, secureContext: createSecureContext({ pfx, passphrase }) });
    leaf = socket.getX509Certificate();
    socket.destroy();
  } catch (error) {
    if (!(Error.isError(error) && /mac verify|not enough data|asn1|pkcs12|unsupported|wrong tag/i.test(error.message)))
      throw error;
  }
  if (leaf !== undefined) return leaf;
  throw webError(
    400,
    'BadRequest',
    'At least one certificate is not valid (Certificate failed validation because it could not be loaded.).',
    'pfxBlob',
  );
}

function described(certificate: X509Certificate): JsonObject {
  const names = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('DNS:'));
  return {
    subjectName: commonNameOf(certificate.subject),
    hostNames: names.map((name) => name.slice('DNS:'.length)),
    issuer: commonNameOf(certificate.issuer),
    issueDate: new Date(certificate.validFrom).toISOString(),
    expirationDate: new Date(certificate.validTo).toISOString(),
    thumbprint: certificate.fingerprint.replaceAll(':', ''),
    valid: false,
  };
}

function commonNameOf(name: string): string {
  return /^CN=(.*)$/m.exec(name)?.[1] ?? name;
}
