import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ClusterUser, KubernetesObject } from '../cluster.objects.js';
import type { ObjectStore } from './object.store.js';
import { kubernetesTime } from '../timestamp.js';

const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const DEFAULT_SECONDS = 3600;
const MINIMUM_SECONDS = 600;

const claimsSchema = z.object({
  exp: z.number(),
  'kubernetes.io': z.object({
    namespace: z.string(),
    serviceaccount: z.object({ name: z.string(), uid: z.string() }),
  }),
});

/** Issues and recognises the tokens of one cluster's service accounts: web tokens signed with a key of the cluster. */
export class ServiceAccountTokens {
  #key: Buffer = randomBytes(32);

  constructor(
    private readonly store: ObjectStore,
    private readonly clock: Clock,
  ) {}

  /** Answers a TokenRequest. @param spec as the caller sent it: audiences, expirationSeconds (seconds) */
  issue(account: KubernetesObject, spec: JsonObject): JsonObject {
    const { name, namespace = '', uid } = account.metadata;
    const asked = spec.expirationSeconds;
    const seconds = Math.max(MINIMUM_SECONDS, typeof asked === 'number' ? asked : DEFAULT_SECONDS);
    const audiences = Array.isArray(spec.audiences) && spec.audiences.length > 0 ? spec.audiences : [ISSUER];
    const now = this.clock.now();
    const issued = Math.floor(now.getTime() / 1000);
    const claims = {
      aud: audiences,
      exp: issued + seconds,
      iat: issued,
      iss: ISSUER,
      jti: randomUUID(),
      'kubernetes.io': { namespace, serviceaccount: { name, uid } },
      nbf: issued,
      sub: userName(namespace, name),
    };
    const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
    return {
      spec: { ...spec, audiences, expirationSeconds: seconds },
      status: {
        token: `${text}.${this.#sign(text).toString('base64url')}`,
        expirationTimestamp: kubernetesTime(new Date((issued + seconds) * 1000)),
      },
    };
  }

  /** @returns undefined for a token that is not of this cluster, has expired, or whose account is gone */
  authenticate(token: string): ClusterUser | undefined {
    const parts = token.split('.');
    if (parts.length !== 3) return undefined;
    const expected = this.#sign(`${parts[0]!}.${parts[1]!}`);
    const given = Buffer.from(parts[2]!, 'base64url');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const claims = claimsSchema.parse(JSON.parse(Buffer.from(parts[1]!, 'base64url').toString('utf8')));
    if (claims.exp * 1000 <= this.clock.now().getTime()) return undefined;
    const { namespace, serviceaccount } = claims['kubernetes.io'];
    const account = this.store.get('serviceaccounts', namespace, serviceaccount.name);
    if (account?.metadata.uid !== serviceaccount.uid) return undefined;
    return {
      name: userName(namespace, serviceaccount.name),
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    };
  }

  /** The signing key, to be kept with the objects so that tokens survive a restart. */
  exportKey(): string {
    return this.#key.toString('base64');
  }

  importKey(key: string): void {
    this.#key = Buffer.from(key, 'base64');
  }

  #sign(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function userName(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}
