import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { CONNECTED_ID, PROVIDER_OBJECT_ID } from '#libs/testing/arc-samples.js';
import { FAILURES, recognised, recognising } from './arc.failures.js';

const cluster = ArmId.parse(CONNECTED_ID);
const scene = { cluster };
/** What Helm says of an object that no release owns. */
const UNOWNED =
  'invalid ownership metadata; label validation error: missing key "app.kubernetes.io/managed-by": must be set to "Helm"; annotation validation error: missing key "meta.helm.sh/release-name": must be set to "x"';
const said = (message: string, externalCode?: string): ControlError =>
  new ControlError('AZURE_OPERATION_FAILED', message, externalCode === undefined ? {} : { externalCode });

describe('recognised', () => {
  it.each<{
    message: string;
    externalCode?: string;
    code: string;
    evidence?: object;
    operations: unknown[];
    reason: string;
  }>([
    {
      message:
        'The operation to Create a Namespace: "apps", failed with the following error: "an error on the server ("404 There are no listeners connected for the endpoint. TrackingId:0',
      code: 'CLUSTER_CONNECT_OFF',
      operations: [{ type: 'arc.feature.enable', input: { cluster: CONNECTED_ID, features: ['cluster-connect'] } }],
      reason: 'the relay has no other end',
    },
    {
      message: 'Cannot connect to the hybrid connection because no agent is connected in the target arc resource.',
      code: 'CLUSTER_CONNECT_OFF',
      operations: [expect.objectContaining({ type: 'arc.feature.enable' })],
      reason: 'the same in other words',
    },
    {
      message: `"namespaces is forbidden: User \\"${PROVIDER_OBJECT_ID}\\" cannot create resource \\"namespaces\\" in API group`,
      code: 'PROVIDER_NOT_GRANTED',
      operations: [
        {
          type: 'arc.customLocation.grant',
          input: { cluster: CONNECTED_ID, objectId: PROVIDER_OBJECT_ID, role: 'least-privilege' },
        },
      ],
      reason: 'the cluster names the object id, in quotes within quotes',
    },
    {
      message:
        '"Microsoft.ExtendedLocation" resource provider does not have the required permissions to create a namespace on the cluster.',
      code: 'PROVIDER_NOT_GRANTED',
      operations: [],
      reason: 'newer words name no object id: people have to look it up',
    },
    {
      message: 'Hybrid connection for the target resource does not exist. Agent might not have started successfully.',
      code: 'AGENTS_NOT_STARTED',
      operations: [],
      reason: 'the agents are too old',
    },
    {
      message:
        "error: Unable to get the status from the local CRD with the error : {Error : Retry for given duration didn't get any results with err {status not populated}}",
      code: 'AGENTS_SILENT',
      operations: [
        {
          type: 'kubernetes.workload.restart',
          input: { workload: expect.stringContaining('/azure-arc/extension-manager') },
        },
      ],
      reason: 'the agents gave no sign',
    },
    {
      message:
        'Error: {failed to install chart from path [] for release [x]: err [cannot re-use a name that is still in use]}',
      code: 'RELEASE_NAME_IN_USE',
      operations: [],
      reason: 'a release is left over, of which the cluster knows the records',
    },
    {
      message:
        'Error: {failed to install chart from path [] for release [x]: err [rendered manifests contain a resource that already exists. Unable to continue with install: CustomResourceDefinition "connectedclusters.arc.azure.com" in namespace "" exists and cannot be imported into the current release: invalid ownership metadata; annotation validation error: key "meta.helm.sh/release-name" must equal "x": current value is "azure-arc"]}',
      code: 'OBJECT_OF_OTHER_RELEASE',
      evidence: { release: 'azure-arc' },
      operations: [],
      reason: 'another release holds the object, and may run',
    },
    ...['extensionconfigs.clusterconfig.azure.com', 'resourcegroups.resources.azure.com', 'works.fleet.azure.com'].map(
      (name) => ({
        message: `CustomResourceDefinition "${name}" in namespace "" exists and cannot be imported into the current release: ${UNOWNED}`,
        code: 'OBJECT_OF_OTHER_RELEASE',
        operations: [],
        reason: `with the definition ${name} go all its objects`,
      }),
    ),
    ...['Secret', 'Service', 'Deployment', 'DaemonSet'].map((kind) => ({
      message: `${kind} "k8se" in namespace "apps" exists and cannot be imported into the current release: ${UNOWNED}`,
      code: 'OBJECT_OF_OTHER_RELEASE',
      operations: [],
      reason: `a ${kind} may be in use`,
    })),
    {
      message:
        'ServiceAccount "k8se" in namespace "apps" exists and cannot be imported into the current release: invalid ownership metadata; label validation error: missing key "app.kubernetes.io/managed-by": must be set to "Helm"; annotation validation error: key "meta.helm.sh/release-name" must equal "x": current value is "y"',
      code: 'OBJECT_OF_OTHER_RELEASE',
      evidence: { kind: 'ServiceAccount', release: 'y' },
      operations: [],
      reason: 'it lacks a label and still belongs to a release',
    },
    {
      message: `ServiceAccount "k8se" in namespace "apps" exists and cannot be imported into the current release: ${UNOWNED}`,
      code: 'OBJECT_OF_OTHER_RELEASE',
      evidence: { kind: 'ServiceAccount', name: 'k8se', namespace: 'apps', release: null },
      operations: [
        {
          type: 'kubernetes.object.delete',
          input: { cluster: CONNECTED_ID, apiVersion: 'v1', kind: 'ServiceAccount', namespace: 'apps', name: 'k8se' },
        },
      ],
      reason: 'the object belongs to no release',
    },
    {
      message: `CustomResourceDefinition "scaledobjects.keda.sh" in namespace "" exists and cannot be imported into the current release: ${UNOWNED}`,
      code: 'OBJECT_OF_OTHER_RELEASE',
      operations: [],
      reason: 'a definition that is not of Azure may serve somebody else',
    },
    {
      message: `Gateway "web" in namespace "apps" exists and cannot be imported into the current release: ${UNOWNED}`,
      code: 'OBJECT_OF_OTHER_RELEASE',
      operations: [],
      reason: 'nobody knows in which API such an object is',
    },
    {
      message:
        'Operation cannot be fulfilled on extensionconfigs.clusterconfig.azure.com "x": the object has been modified',
      code: 'RELEASE_BUSY',
      operations: [],
      reason: 'trying again will do',
    },
    {
      message: 'failed, and has been uninstalled due to atomic being set: timed out waiting for the condition',
      code: 'PODS_NOT_READY',
      operations: [],
      reason: 'what ails the pods stands in the cluster',
    },
    {
      message: 'Unable to install helm release: Error: UPGRADE Failed: time out waiting for the condition',
      code: 'PODS_NOT_READY',
      operations: [],
      reason: 'the chart of the agents says it in its own words',
    },
    {
      message: 'closed',
      externalCode: 'ExtensionTypeRetired',
      code: 'EXTENSION_TYPE_RETIRED',
      operations: [],
      reason: 'the code of Azure says it',
    },
    {
      message: "The cluster extension 'x' does not support resource type 'y'",
      externalCode: 'MissingAzureKubernetesMapping',
      code: 'TYPE_NOT_OFFERED',
      operations: [],
      reason: 'the extension is not behind the location',
    },
  ])('takes it for $code: $reason', ({ message, externalCode, code, evidence, operations }) => {
    const error = recognised(said(message, externalCode), scene);
    expect(error).toMatchObject({ code: 'AZURE_OPERATION_FAILED', diagnosis: { code, operations } });
    expect(error.diagnosis?.evidence).toMatchObject({ cluster: CONNECTED_ID, said: message, ...evidence });
    expect(error.externalCode).toBe(externalCode);
  });

  it('leaves alone what nobody knows', () => {
    const error = said('Something else.');
    expect(recognised(error, scene)).toBe(error);
  });

  it('takes a service account that may not make namespaces for no provider', () => {
    const words = 'namespaces is forbidden: User "system:serviceaccount:apps:x" cannot create resource "namespaces"';
    expect(recognised(said(words), scene).diagnosis).toBeUndefined();
  });

  it('takes an object id in no other place for that of the provider', () => {
    const error = recognised(said('secrets is forbidden: User "me" cannot list resource "secrets"'), scene);
    expect(error.diagnosis).toBeUndefined();
  });
});

it('documents every failure that is recognised', () => {
  const page = readFileSync(path.resolve(import.meta.dirname, '../../../docs/azure-arc.md'), 'utf8');
  for (const code of Object.keys(FAILURES)) expect(page).toContain(`\`${code}\``);
});

describe('recognising', () => {
  it('lets through what is no failure of ours to know', async () => {
    const fault = new TypeError('a fault');
    await expect(recognising(scene, () => Promise.reject(fault))).rejects.toBe(fault);
    await expect(recognising(scene, () => Promise.resolve(1))).resolves.toBe(1);
  });
});
