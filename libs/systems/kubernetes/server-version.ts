/** The minor version of a Kubernetes 1.x server, as in `v1.32.13` or `1.27.3-hci`; undefined where it cannot be read. */
export function minorVersionOf(gitVersion: string): number | undefined {
  const found = /^v?1\.(\d+)(\D|$)/.exec(gitVersion);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}
