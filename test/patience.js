import { jest } from '@jest/globals';

// These tests wait for conditions; the limit is there for those that never come true.
jest.setTimeout(90_000);
