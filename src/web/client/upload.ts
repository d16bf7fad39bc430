import { formatSize } from './number-format.ts';

/** A piece is sent again whole where the connection breaks, so it is small beside the whole. */
const pieceBytes = 8 << 20;

interface Upload {
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly receivedBytes: number;
  readonly isComplete: boolean;
}

/** Where a connection broke it is tried again after so long, and twice as long each further time. */
const firstPauseMs = 500;
const mostTries = 7;

/** Worth another try: the connection broke, or the server has not noticed yet that the one before did. */
class BrokenOff extends Error {}

async function answer(asked: Promise<Response>): Promise<unknown> {
  const response = await asked.catch((error: unknown) => {
    throw new BrokenOff(error instanceof Error ? error.message : String(error));
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body;
  const error = (body as { readonly error?: { readonly message?: string } } | undefined)?.error;
  const message = error?.message ?? `${response.status} ${response.statusText}`;
  // 409: it goes on elsewhere than we thought; 502 to 504: a proxy without its server.
  throw [409, 502, 503, 504].includes(response.status) ? new BrokenOff(message) : new Error(message);
}

/** The same file where it stopped, or a new one. */
async function begin(url: string, csrf: string, file: File): Promise<Upload> {
  const listed = (await answer(fetch(url))) as { readonly uploads?: readonly Upload[] } | readonly Upload[];
  const uploads = Array.isArray(listed) ? listed : ((listed as { readonly uploads?: readonly Upload[] }).uploads ?? []);
  const known = uploads.find(({ name, sizeBytes }: Upload) => name === file.name && sizeBytes === file.size);
  if (known !== undefined) return known;
  const headers = { 'content-type': 'application/json', 'x-csrf-token': csrf };
  const body = JSON.stringify({ name: file.name, sizeBytes: file.size });
  return (await answer(fetch(url, { method: 'POST', headers, body }))) as Upload;
}

interface Teller {
  sent(doneBytes: number): void;
  waiting(): void;
}

async function send(form: HTMLFormElement, file: File, tell: Teller): Promise<Upload> {
  const url = form.dataset['upload'] ?? '';
  const csrf = new FormData(form).get('csrf')?.toString() ?? '';
  let upload = await begin(url, csrf, file);
  const own = `${url}/${encodeURIComponent(upload.id)}`;
  let failures = 0;
  while (!upload.isComplete) {
    const from = upload.receivedBytes;
    tell.sent(from);
    const headers = {
      'content-type': 'application/octet-stream',
      'x-csrf-token': csrf,
      'upload-offset': String(from),
    };
    const body = file.slice(from, from + pieceBytes);
    try {
      upload = (await answer(fetch(own, { method: 'PATCH', headers, body }))) as Upload;
      failures = 0;
    } catch (error) {
      if (!(error instanceof BrokenOff) || ++failures >= mostTries) throw error;
      tell.waiting();
      const pause = AbortSignal.timeout(firstPauseMs * 2 ** (failures - 1));
      await new Promise((resolve) => pause.addEventListener('abort', resolve));
      // How much of the piece has come through is known there alone.
      upload = ((await answer(fetch(own)).catch(() => undefined)) as Upload | undefined) ?? upload;
    }
  }
  return upload;
}

/** Takes the form that uploads in hand: in pieces, so that it goes on where it stopped. Without it the form sends the file as one. */
export function resumeUploads(root: ParentNode): void {
  for (const form of root.querySelectorAll('form[data-upload]:not([data-ready])')) {
    if (!(form instanceof HTMLFormElement)) continue;
    form.dataset['ready'] = '';
    form.addEventListener('submit', (event) => {
      const input = form.querySelector('input[type=file]');
      const file = input instanceof HTMLInputElement ? input.files?.[0] : undefined;
      if (file === undefined) return;
      event.preventDefault();
      void upload(form, file);
    });
  }
}

async function upload(form: HTMLFormElement, file: File): Promise<void> {
  const place = form.querySelector<HTMLElement>('.upload-progress');
  const bar = place?.querySelector('progress');
  const words = place?.querySelector('p');
  const button = form.querySelector('button');
  const { uploading = '', uploaded = '', waiting = '', failed = '', next = '' } = form.dataset;
  const say = (text: string) => {
    if (words) words.textContent = text;
  };
  if (place) place.hidden = false;
  if (button) button.disabled = true;
  try {
    const { id } = await send(form, file, {
      sent: (doneBytes) => {
        if (bar) bar.value = (doneBytes / Math.max(1, file.size)) * 100;
        say(uploading.replace('{done}', formatSize(doneBytes)).replace('{total}', formatSize(file.size)));
      },
      waiting: () => say(waiting),
    });
    if (bar) bar.value = 100;
    say(uploaded);
    location.href = `${next}?upload=${encodeURIComponent(id)}`;
  } catch (error) {
    say(failed.replace('{reason}', () => (error instanceof Error ? error.message : String(error))));
    if (button) button.disabled = false;
  }
}
