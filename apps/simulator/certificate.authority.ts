import { randomBytes, webcrypto } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type * as X509 from '@peculiar/x509';
import * as z from 'zod';
import { readIfPresent } from './file.read.js';

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Some clients refuse certificates of servers that are valid for longer than 825 days. */
const SERVER_DAYS = 730;
/** A certificate that ends sooner than this is replaced. */
const RENEWAL_DAYS = 30;
/** Names that callers may ask for by SNI before the oldest is forgotten. */
const REMEMBERED_NAMES = 100;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' };
/** Where everyone reaches a simulator on the same machine; these need no name in the handshake. */
const LOCAL_NAMES = ['127.0.0.1', '::1', 'localhost'];

const savedSchema = z.object({
  authority: z.object({ certificate: z.string(), key: z.string() }),
  server: z.object({ certificate: z.string(), key: z.string(), names: z.array(z.string()), endsAt: z.number() }),
});

type Saved = z.infer<typeof savedSchema>;

/**
 * Signs the certificates of the simulated Kubernetes API servers. It is made when it is first needed, and kept in a file
 * so that a kubeconfig stays good after a restart.
 */
export class CertificateAuthority {
  readonly #contexts = new Map<string, Promise<SecureContext>>();
  #ready: Promise<Saved> | undefined;

  constructor(
    /** Where it is kept; only in memory without. */
    private readonly path: string | undefined,
    /** Hosts beside those of this machine that the certificate stands for. */
    private readonly hosts: readonly string[],
    /** Told the authority's certificate as soon as there is one. */
    private readonly announce: (certificate: string) => void,
  ) {}

  /** Makes what is missing. */
  async ready(): Promise<void> {
    await this.#saved();
  }

  /** The certificate that is shown to callers who name no host, or one of our own. */
  async server(): Promise<{ cert: string; key: string }> {
    const { server } = await this.#saved();
    return { cert: server.certificate, key: server.key };
  }

  /** For any other name in the handshake there is a certificate as well: whoever resolves a name to us may use it. */
  async contextFor(name: string): Promise<SecureContext> {
    const saved = await this.#saved();
    if (saved.server.names.includes(name)) {
      return createSecureContext({ cert: saved.server.certificate, key: saved.server.key });
    }
    const known = this.#contexts.get(name);
    if (known !== undefined) return known;
    const oldest = this.#contexts.keys().next().value;
    if (this.#contexts.size >= REMEMBERED_NAMES && oldest !== undefined) this.#contexts.delete(oldest);
    const made = signServer(saved.authority, [name]).then((server) =>
      createSecureContext({ cert: server.certificate, key: server.key }),
    );
    this.#contexts.set(name, made);
    return made;
  }

  async #saved(): Promise<Saved> {
    this.#ready ??= this.#load();
    return this.#ready;
  }

  async #load(): Promise<Saved> {
    const names = [...new Set([...LOCAL_NAMES, ...this.hosts])];
    const present = this.#read();
    const good =
      present !== undefined &&
      names.every((name) => present.server.names.includes(name)) &&
      present.server.endsAt - Date.now() > RENEWAL_DAYS * DAY_MS;
    const authority = present?.authority ?? (await makeAuthority());
    const saved = good ? present : { authority, server: await signServer(authority, names) };
    if (!good) this.#write(saved);
    this.announce(saved.authority.certificate);
    return saved;
  }

  #read(): Saved | undefined {
    const text = this.path === undefined ? undefined : readIfPresent(this.path);
    return text === undefined ? undefined : savedSchema.parse(JSON.parse(text));
  }

  #write(saved: Saved): void {
    if (this.path === undefined) return;
    const temporary = `${this.path}.new`;
    writeFileSync(temporary, JSON.stringify(saved), { mode: 0o600 });
    renameSync(temporary, this.path);
  }
}

/** Loaded when a certificate is to be made, not at every start. */
async function x509Library(): Promise<typeof X509> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

async function makeAuthority(): Promise<Saved['authority']> {
  const { X509CertificateGenerator, BasicConstraintsExtension, KeyUsagesExtension, KeyUsageFlags } =
    await x509Library();
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Azure simulator',
    ...validity(AUTHORITY_DAYS),
    signingAlgorithm: SIGNING_ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) };
}

async function signServer(authority: Saved['authority'], names: string[]): Promise<Saved['server']> {
  const { X509Certificate: Certificate, ...x509 } = await x509Library();
  const issuer = new Certificate(authority.certificate);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', bytesOf(authority.key), ALGORITHM, false, ['sign']);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const valid = validity(SERVER_DAYS);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=apiserver',
    issuer: issuer.subject,
    ...valid,
    signingAlgorithm: SIGNING_ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: /^[\d.]+$|:/.test(name) ? ('ip' as const) : ('dns' as const), value: name })),
      ),
    ],
  });
  return {
    certificate: pemOf(certificate),
    key: await keyPem(keys.privateKey),
    names,
    endsAt: valid.notAfter.getTime(),
  };
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  // A clock that is a little behind must not find a certificate of the future.
  return { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + days * DAY_MS) };
}

/** Positive, as certificates demand it. */
function serialNumber(): string {
  return `01${randomBytes(15).toString('hex')}`;
}

function pemOf(certificate: X509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${(der.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
}

function bytesOf(pem: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'));
}
