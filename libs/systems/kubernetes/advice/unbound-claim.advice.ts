import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy, KnownObject } from '../../contract/advice.js';
import { rawObjects, rawText } from '../../contract/raw-reader.js';
import { storageClassKind } from '../storage-class.kind.js';
import { unschedulableMessage } from './scheduling.rules.js';

export const UNBOUND_CLAIM_CODES = {
  CLAIM_NOT_FOUND: 'The pod mounts a volume claim that does not exist.',
  CLAIM_WITHOUT_CLASS: 'The volume claim names no storage class, and the cluster has no default one.',
  STORAGE_CLASS_NOT_FOUND: 'The volume claim names a storage class that does not exist.',
  CLAIM_NOT_BOUND: 'The volume claim has no volume yet: its driver has not made one.',
} as const satisfies Record<string, string>;

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

export interface ClaimSituation {
  pod: JsonObject;
  /** The uid of the cluster. */
  cluster: string;
  namespace: string;
  claims: readonly NamedClaim[];
  classes: readonly KnownObject[];
}

/** A claim that a pod mounts, with what was said of it last. */
export interface NamedClaim {
  name: string;
  /** Undefined where there is none. */
  claim: JsonObject | undefined;
  warning: string | null;
}

/** Whether the scheduler says that the pod waits for a claim. */
export function waitsForClaims(pod: JsonObject): boolean {
  return /persistentvolumeclaim/i.test(unschedulableMessage(pod) ?? '');
}

/** The names of the claims that a pod mounts. */
export function claimNamesOf(pod: JsonObject): string[] {
  return rawObjects(pod, 'spec', 'volumes').flatMap(
    (volume) => rawText(volume, 'persistentVolumeClaim', 'claimName') ?? [],
  );
}

export function unboundClaimAdvice(situation: ClaimSituation): Advice[] {
  if (!waitsForClaims(situation.pod)) return [];
  return situation.claims.flatMap((named) => adviceOn(situation, named));
}

function adviceOn(situation: ClaimSituation, { name, claim, warning }: NamedClaim): Advice[] {
  const message = unschedulableMessage(situation.pod) ?? '';
  const classes = situation.classes.map((each) => each.name);
  if (claim === undefined) {
    return [advice('CLAIM_NOT_FOUND', { claim: name, message, classes }, [claimRemedy(situation, name)])];
  }
  const phase = rawText(claim, 'status', 'phase');
  if (phase === 'Bound') return [];
  const wanted = rawText(claim, 'spec', 'storageClassName');
  const evidence = { claim: name, phase, storageClass: wanted, classes, warning, message };
  const chosen = situation.classes.find((each) => (wanted === null ? isDefault(each) : each.name === wanted));
  if (chosen !== undefined) {
    // What waits for its first pod is bound as soon as the pod has a place.
    if (rawText(chosen.properties, 'volumeBindingMode') === 'WaitForFirstConsumer' && warning === null) return [];
    const provisioner = rawText(chosen.properties, 'provisioner');
    const description = `Look at the driver ${provisioner ?? 'of the class'} and at what it says of the claim.`;
    return [advice('CLAIM_NOT_BOUND', { ...evidence, provisioner }, [{ description, operations: [] }])];
  }
  if (wanted === null) return [advice('CLAIM_WITHOUT_CLASS', evidence, [claimRemedy(situation, name)])];
  return [advice('STORAGE_CLASS_NOT_FOUND', evidence, classRemedies(situation, wanted))];
}

function advice(code: keyof typeof UNBOUND_CLAIM_CODES, evidence: JsonObject, remedies: AdviceRemedy[]): Advice {
  return { code, severity: 'error', cause: UNBOUND_CLAIM_CODES[code], evidence, remedies };
}

/** A claim of the default class, or of the first one; its size is for people to choose. */
function claimRemedy({ cluster, namespace, classes }: ClaimSituation, name: string): AdviceRemedy {
  const storageClass = preferred(classes);
  const description = 'Make the claim, in the size that the pod needs (here the least).';
  if (storageClass === undefined) {
    return {
      description: 'Make a storage class first (kubernetes.storageClass.create), then the claim.',
      operations: [],
    };
  }
  const manifest = JSON.stringify({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: storageClass.name,
      resources: { requests: { storage: '1Gi' } },
    },
  });
  return { description, operations: [{ type: 'kubernetes.manifest.apply', input: { cluster, manifest } }] };
}

/** The class of a claim cannot change: the class is made under the name that is asked for, or the claim anew. */
function classRemedies({ cluster, classes }: ClaimSituation, wanted: string): AdviceRemedy[] {
  const anew: AdviceRemedy = {
    description: 'Or delete the claim and make it anew in a class that exists: the class of a claim cannot change.',
    operations: [],
  };
  const model = preferred(classes);
  if (model === undefined) return [anew];
  const described = storageClassKind.describe(model.properties) as {
    provisioner: string | null;
    parameters: Record<string, string>;
    reclaimPolicy: string | null;
    volumeBindingMode: string | null;
  };
  const { provisioner, parameters, reclaimPolicy, volumeBindingMode } = described;
  const input: JsonObject = {
    cluster,
    name: wanted,
    provisioner,
    parameters: { ...parameters },
    ...(reclaimPolicy === null ? {} : { reclaimPolicy }),
    ...(volumeBindingMode === null ? {} : { volumeBindingMode }),
  };
  return [
    {
      description: `Make the class ${wanted}, like the class ${model.name}.`,
      operations: [{ type: 'kubernetes.storageClass.create', input }],
    },
    anew,
  ];
}

function preferred(classes: readonly KnownObject[]): KnownObject | undefined {
  return classes.find(isDefault) ?? classes[0];
}

function isDefault({ properties }: KnownObject): boolean {
  return rawText(properties, 'metadata', 'annotations', DEFAULT_CLASS) === 'true';
}
