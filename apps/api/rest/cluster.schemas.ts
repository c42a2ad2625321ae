import { z } from 'zod';
import { Secret } from '#libs/kernel/secret.js';

/** As Kubernetes names objects (RFC 1123 label), so that it can stand in an id and in a path. */
const CLUSTER_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

const kubeconfigText = z
  .string('must be a kubeconfig as text')
  .min(1, 'must not be empty')
  .max(1_048_576, 'must not be longer than 1 MiB')
  .describe('A kubeconfig, YAML or JSON, as text. Write-only: it is kept sealed and never shown.');
const kubeconfig = kubeconfigText.transform((text) => new Secret(text));
const clusterName = z
  .string('must be a name')
  .regex(CLUSTER_NAME, 'must be 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end')
  .describe('What the cluster is called in Pilothouse.');

export const clusterAttachRequest = z.strictObject({ name: clusterName, kubeconfig });
export const clusterAccessRequest = z.strictObject({ kubeconfig });
export const noQuery = z.strictObject({});

/** The same bodies as callers write them. */
export const clusterAttachDocument = z.strictObject({ name: clusterName, kubeconfig: kubeconfigText });
export const clusterAccessDocument = z.strictObject({ kubeconfig: kubeconfigText });
