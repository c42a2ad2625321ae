import { ControlError } from '#libs/kernel/control-error.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type {
  AccessQuestion,
  ApplyOptions,
  ClusterClient,
  DeleteOptions,
  ListOptions,
  Patch,
  WatchOptions,
  WriteOptions,
  WriteResult,
} from '#libs/kube/cluster-client.js';
import type { ApiResource, KubernetesManifest } from '#libs/kube/kubernetes-object.js';
import { withoutFields } from './known-fields.js';

/**
 * A cluster that keeps its word about `fieldValidation` when it applies. An API server refuses an apply with a field that
 * is not in its schema whatever it is told; with `Warn` or `Ignore` the fields that it names are left out here, and it is
 * asked once more.
 */
export class KnownFieldsCluster implements ClusterClient {
  constructor(private readonly cluster: ClusterClient) {}

  get clusterUid(): string {
    return this.cluster.clusterUid;
  }

  async apply(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: ApplyOptions,
    call: KubeCall,
  ): Promise<WriteResult> {
    try {
      return await this.cluster.apply(resource, namespace, object, options, call);
    } catch (error) {
      const unknown = error instanceof ControlError ? unknownFieldsOf(error) : [];
      const { fieldValidation = 'Strict' } = options;
      if (unknown.length === 0 || fieldValidation === 'Strict') throw error;
      const written = await this.cluster.apply(resource, namespace, withoutFields(object, unknown), options, call);
      // In the words of the servers, of other requests than apply.
      const warnings = fieldValidation === 'Warn' ? unknown.map((path) => `unknown field "${path.slice(1)}"`) : [];
      return { ...written, warnings: [...warnings, ...written.warnings] };
    }
  }

  version(call: KubeCall) {
    return this.cluster.version(call);
  }

  findResource(type: { group: string; version?: string; kind: string }, call: KubeCall) {
    return this.cluster.findResource(type, call);
  }

  get(resource: ApiResource, namespace: string | undefined, name: string, call: KubeCall) {
    return this.cluster.get(resource, namespace, name, call);
  }

  list(resource: ApiResource, options: ListOptions, call: KubeCall) {
    return this.cluster.list(resource, options, call);
  }

  create(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: WriteOptions,
    call: KubeCall,
  ) {
    return this.cluster.create(resource, namespace, object, options, call);
  }

  patch(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    patch: Patch,
    options: WriteOptions & { subresource?: string },
    call: KubeCall,
  ) {
    return this.cluster.patch(resource, namespace, name, patch, options, call);
  }

  delete(resource: ApiResource, namespace: string | undefined, name: string, options: DeleteOptions, call: KubeCall) {
    return this.cluster.delete(resource, namespace, name, options, call);
  }

  mayI(question: AccessQuestion, call: KubeCall) {
    return this.cluster.mayI(question, call);
  }

  whoAmI(call: KubeCall) {
    return this.cluster.whoAmI(call);
  }

  watch(resource: ApiResource, options: WatchOptions, call: KubeCall) {
    return this.cluster.watch(resource, options, call);
  }
}

/** Only where nothing else is at fault: what else there is would be refused again. */
function unknownFieldsOf({ code, violations }: ControlError): string[] {
  const areAllUnknown = violations.every((violation) => violation.code === 'UnknownField');
  return code === 'KUBERNETES_REJECTED' && areAllUnknown ? violations.map(({ path }) => path) : [];
}
