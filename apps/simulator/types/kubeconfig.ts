import { resourceUid } from '#libs/kernel/resource-uid.js';

/** The application of AKS that Entra ID issues tokens for, and the public client that signs in for it. */
export const SERVER_APPLICATION = '6dae42f8-4368-4678-94ff-3960e28e3630';
const CLIENT_APPLICATION = '80faf920-1908-4b52-b5ef-a8e7bedfc67a';

/** How a kubeconfig proves who calls: a fixed token, the kubelogin plugin, or the block that clients once had built in. */
export type KubeconfigUser =
  { kind: 'token'; token: string } | { kind: 'exec'; tenantId: string } | { kind: 'azure'; tenantId: string };

export interface Kubeconfig {
  /** Also the name of the context. */
  cluster: string;
  server: string;
  /** The certificate behind the server's own, as PEM. */
  authority: string;
  userName: string;
  user: KubeconfigUser;
}

/** Where a simulated cluster's API stands. Kubernetes clients send tokens over TLS alone, whatever ARM was asked over. */
export function kubernetesUrl(baseUrl: string, clusterKey: string): string {
  return `${baseUrl.replace(/^http:/, 'https:')}/kubernetes/${resourceUid(clusterKey)}`;
}

/** `{kubeconfigs: [{name, value}]}` with the value in base64, as ARM answers it. */
export function kubeconfigAnswer(
  credentialName: string,
  config: Kubeconfig,
): { kubeconfigs: { name: string; value: string }[] } {
  const value = Buffer.from(kubeconfigText(config), 'utf8').toString('base64');
  return { kubeconfigs: [{ name: credentialName, value }] };
}

/** As YAML. */
export function kubeconfigText({ cluster, server, authority, userName, user }: Kubeconfig): string {
  const lines = [
    'apiVersion: v1',
    'clusters:',
    '- cluster:',
    `    certificate-authority-data: ${Buffer.from(authority, 'utf8').toString('base64')}`,
    `    server: ${server}`,
    `  name: ${cluster}`,
    'contexts:',
    '- context:',
    `    cluster: ${cluster}`,
    `    user: ${userName}`,
    `  name: ${cluster}`,
    `current-context: ${cluster}`,
    'kind: Config',
    'preferences: {}',
    'users:',
    `- name: ${userName}`,
    '  user:',
    ...userLines(user),
  ];
  return `${lines.join('\n')}\n`;
}

function userLines(user: KubeconfigUser): string[] {
  switch (user.kind) {
    case 'token':
      return [`    token: ${user.token}`];
    case 'exec':
      return execLines(user.tenantId);
    case 'azure':
      return [
        '    auth-provider:',
        '      config:',
        `        apiserver-id: ${SERVER_APPLICATION}`,
        `        client-id: ${CLIENT_APPLICATION}`,
        '        config-mode: "1"',
        '        environment: AzurePublicCloud',
        `        tenant-id: ${user.tenantId}`,
        '      name: azure',
      ];
  }
}

function execLines(tenantId: string): string[] {
  const argumentsOfPlugin = [
    'get-token',
    '--environment',
    'AzurePublicCloud',
    '--server-id',
    SERVER_APPLICATION,
    '--client-id',
    CLIENT_APPLICATION,
    '--tenant-id',
    tenantId,
    '--login',
    'devicecode',
  ];
  return [
    '    exec:',
    '      apiVersion: client.authentication.k8s.io/v1beta1',
    '      args:',
    ...argumentsOfPlugin.map((argument) => `      - ${argument}`),
    '      command: kubelogin',
    '      env: null',
    '      installHint: kubelogin is not installed; see https://aka.ms/aks/kubelogin',
    '      provideClusterInfo: false',
  ];
}
