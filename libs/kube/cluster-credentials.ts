import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ClusterAccessProvider, ClusterReference, KubeCall } from './cluster-access.js';
import type { KubeOptions } from './kube.options.js';
import { parseKubeconfig, type Kubeconfig } from './kubeconfig.js';
import { SingleFlight } from './single-flight.js';

export interface ClusterCredentialsOptions {
  cluster: ClusterReference;
  providers: readonly ClusterAccessProvider[];
  options: Pick<KubeOptions, 'allowInsecureTls' | 'allowLinkLocal' | 'entraHosts' | 'credentialLifetimeMs'>;
  clock: Clock;
}

/** The kubeconfig of one cluster, kept in memory for a while. */
export class ClusterCredentials {
  readonly #flight = new SingleFlight<Kubeconfig>();
  #kept: { kubeconfig: Kubeconfig; until: Date } | undefined;
  /** Grows when what is on its way must not be kept. */
  #generation = 0;

  constructor(private readonly parts: ClusterCredentialsOptions) {}

  /**
   * @throws ControlError CLUSTER_ACCESS_MISSING when no provider has one, INVALID_KUBECONFIG, or as the provider throws.
   * @throws the reason of the call's signal.
   */
  async current(call: KubeCall): Promise<Kubeconfig> {
    if (this.#kept !== undefined && this.parts.clock.now() < this.#kept.until) return this.#kept.kubeconfig;
    return this.#flight.join((signal) => this.#obtain({ ...call, signal }), call.signal);
  }

  /** The server did not take it. One that was got in the meantime stays. */
  drop(refused: Kubeconfig): void {
    if (this.#kept?.kubeconfig === refused) this.#kept = undefined;
  }

  forget(): void {
    this.#generation++;
    this.#kept = undefined;
    this.#flight.forget();
  }

  async #obtain(call: KubeCall): Promise<Kubeconfig> {
    const { cluster, providers, options, clock } = this.parts;
    const generation = this.#generation;
    for (const provider of providers) {
      if (!provider.kinds.includes(cluster.kind)) continue;
      const provided = await provider.kubeconfig(cluster, call);
      if (provided === undefined) continue;
      const kubeconfig = parseKubeconfig(provided.kubeconfig, { ...options, origin: provided.origin });
      if (generation === this.#generation) {
        this.#kept = { kubeconfig, until: new Date(clock.now().getTime() + options.credentialLifetimeMs) };
      }
      return kubeconfig;
    }
    throw new ControlError('CLUSTER_ACCESS_MISSING', `Pilothouse has no access to ${cluster.kind} ${cluster.id}.`, {
      remedy: `Attach a kubeconfig: PUT /v1/clusters/${cluster.uid}/access`,
    });
  }
}
