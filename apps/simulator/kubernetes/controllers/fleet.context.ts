import type { ClusterView } from './cluster.view.js';
import type { EventRecorder } from './event.recorder.js';
import type { FleetMember } from './fleet.member.js';
import type { WorkLoop } from './work.loop.js';

/** A member as the fleet's controllers reach it. */
export interface ConnectedMember {
  /** As ARM tells it now. */
  member: FleetMember;
  readonly view: ClusterView;
  readonly events: EventRecorder;
}

/** What the controllers of one fleet share. */
export interface FleetContext {
  readonly hub: ClusterView;
  readonly loop: WorkLoop;
  readonly members: ReadonlyMap<string, ConnectedMember>;
}
