import type { JsonObject } from '#libs/kernel/json.js';
import type { SimulatedCluster } from '../cluster.objects.js';
import { ClusterView } from './cluster.view.js';
import { type ClusterControllers, startHubControllers } from './controller.manager.js';
import type { ClusterControllerOptions } from './controller.options.js';
import { EventRecorder } from './event.recorder.js';
import type { ConnectedMember, FleetContext } from './fleet.context.js';
import type { FleetMember } from './fleet.member.js';
import { memberNamespace, WORKS } from './fleet.names.js';
import { FleetNetworking } from './fleet.networking.js';
import { hubAdmission } from './hub.admission.js';
import { MemberClusterController } from './member-cluster.controller.js';
import { PlacementController } from './placement.controller.js';
import { WorkApplier } from './work.applier.js';

export interface FleetRuntimeOptions {
  /** For the hub's own controllers; also tells the loop. */
  hub: ClusterControllerOptions;
  /** The custom resources, installed on the hub at the start and on a member when it joins. */
  definitions: { hub: readonly JsonObject[]; member: readonly JsonObject[] };
}

interface Membership {
  connected: ConnectedMember;
  applier: WorkApplier;
}

/** A fleet that is alive: its hub with guard rails, and its members' agents. */
export class FleetRuntime {
  readonly #memberships = new Map<string, Membership>();
  readonly #connected = new Map<string, ConnectedMember>();
  readonly #controllers: ClusterControllers;
  readonly #registration: MemberClusterController;
  readonly #placements: PlacementController;
  readonly #networking: FleetNetworking;
  readonly #context: FleetContext;

  /** @param hub with all the objects that it had before, if it was there before */
  constructor(
    readonly hub: SimulatedCluster,
    private readonly options: FleetRuntimeOptions,
  ) {
    hub.installDefinitions(options.definitions.hub);
    for (const plugin of hubAdmission()) hub.addAdmission(plugin);
    this.#controllers = startHubControllers(hub, options.hub);
    this.#context = { hub: this.#controllers.view, loop: options.hub.loop, members: this.#connected };
    this.#registration = new MemberClusterController(this.#context);
    this.#placements = new PlacementController(this.#context);
    this.#networking = new FleetNetworking(this.#context);
    this.#controllers.view.on(WORKS, ({ object }) => {
      for (const [name, { applier }] of this.#memberships)
        if (memberNamespace(name) === object.metadata.namespace) applier.look(object.metadata.name);
    });
  }

  /** The members by name. */
  get members(): ReadonlyMap<string, FleetMember> {
    return new Map([...this.#connected].map(([name, { member }]) => [name, member]));
  }

  /** Registers the cluster at the hub and starts its agents. A member of that name that is there already is replaced. */
  join(member: FleetMember): void {
    const present = this.#memberships.get(member.name);
    if (present?.connected.member.cluster === member.cluster) {
      this.updateMember(member.name, member);
      return;
    }
    if (present !== undefined) this.leave(member.name);
    member.cluster.installDefinitions(this.options.definitions.member);
    const view = new ClusterView(member.cluster);
    const events = new EventRecorder(view, this.#context.loop, this.options.hub.events);
    const connected: ConnectedMember = { member, view, events };
    this.#connected.set(member.name, connected);
    this.#memberships.set(member.name, { connected, applier: new WorkApplier(this.#context, connected) });
    this.#registration.look(member.name);
    this.#networking.connect(connected);
    this.#placements.lookAtAll();
  }

  /** What changed of a member: labels, reachability, networks. Does nothing when there is no such member. */
  updateMember(name: string, change: Partial<Omit<FleetMember, 'name' | 'cluster'>>): void {
    const membership = this.#memberships.get(name);
    if (membership === undefined) return;
    const { connected, applier } = membership;
    connected.member = { ...connected.member, ...change };
    this.#registration.look(name);
    applier.lookAtAll();
    this.#networking.lookAtAll();
  }

  /** Ends a membership: what the fleet put on the cluster goes, and its registration at the hub. */
  leave(name: string): void {
    const membership = this.#memberships.get(name);
    if (membership === undefined) return;
    const { connected, applier } = membership;
    this.#networking.disconnect(connected);
    applier.leave();
    this.#close(membership);
    this.#memberships.delete(name);
    this.#connected.delete(name);
    this.#registration.remove(name);
    this.#networking.lookAtAll();
    this.#placements.lookAtAll();
  }

  /** Stops all agents and controllers. Nobody leaves; the clusters stay as they are. */
  close(): void {
    for (const membership of this.#memberships.values()) this.#close(membership);
    this.#memberships.clear();
    this.#connected.clear();
    this.#networking.close();
    this.#placements.close();
    this.#registration.close();
    this.#controllers.close();
  }

  #close({ connected, applier }: Membership): void {
    applier.close();
    connected.events.close();
    connected.view.close();
  }
}
