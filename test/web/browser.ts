import { type Browser, chromium } from 'playwright-core';
import { findProgram } from '../services/find-program.ts';

/** Debian's Chromium, without a window. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = findProgram('chromium');
  if (executablePath === undefined) throw new Error('no chromium');
  // Tests run as root in containers, where its sandbox cannot be set up.
  return await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}
