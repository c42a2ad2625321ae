import { expect, it } from '@jest/globals';
import { refusalWords } from './connector.words.js';

const refusal = {
  id: '/subscriptions/s/resourceGroups/MC_a/providers/Microsoft.ContainerInstance/containerGroups/default-web-0',
  status: 400,
  code: 'InaccessibleImage',
  message: "The image 'shop.azurecr.io/web:1' in container group 'default-web-0' is not accessible.",
};
const LINE = '-'.repeat(80);

it('words a refusal as the library of the first connectors does', () => {
  expect(refusalWords(refusal, 'early')).toBe(
    `api call to https://management.azure.com${refusal.id}?api-version=2018-02-01-preview: got HTTP response status code 400 error code "InaccessibleImage": ${refusal.message}`,
  );
});

it('words a refusal as the library of today does', () => {
  expect(refusalWords(refusal, 'addon')).toBe(
    `PUT https://management.azure.com${refusal.id}
${LINE}
RESPONSE 400: 400 Bad Request
ERROR CODE: InaccessibleImage
${LINE}
{
  "error": {
    "code": "InaccessibleImage",
    "message": "${refusal.message}"
  }
}
${LINE}
`,
  );
});
