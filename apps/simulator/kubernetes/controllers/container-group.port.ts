import type { JsonObject } from '#libs/kernel/json.js';

/** A container group as the connector of a cluster sees it. */
export interface SeenContainerGroup {
  /** Of the pod that it was made for, by its tags. */
  podUid: string | undefined;
  state: 'Pending' | 'Running' | 'Stopped' | 'Failed';
  address: string | undefined;
  restarts: number;
  /** Whether it is on its way out. */
  isGoing: boolean;
}

/** Why Azure makes no container group, as it answers. */
export interface ContainerGroupRefusal {
  /** Of the group that was asked for. */
  id: string;
  status: number;
  code: string;
  message: string;
}

/** The container groups of a cluster's node resource group. */
export interface ContainerGroupPort {
  find(name: string): SeenContainerGroup | undefined;
  /**
   * @param node decides in which network the group is, if in any
   * @returns why Azure refuses; undefined when it has accepted.
   */
  create(name: string, node: string, body: JsonObject): ContainerGroupRefusal | undefined;
  /** As Azure answers where it cannot get at an image. */
  inaccessible(name: string, image: string): ContainerGroupRefusal;
  delete(name: string): void;
  /** Called with the name of each group that has changed. @returns how to stop it. */
  onChange(listener: (name: string) => void): () => void;
}
