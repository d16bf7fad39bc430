/** What differs between servers that speak S3, as data. */

/** How a server differs from what the others do. */
export interface S3Preset {
  /** Of the signature where none is set. */
  readonly region?: string;
  /** `{region}` stands for the region, `{account}` has to be filled in by whoever has one. */
  readonly endpointUrl?: string;
  /** The bucket stands in the path, not in the host's name. */
  readonly pathStyle?: boolean;
  /** Sends the CRC-32 of what is uploaded, which the server checks and keeps. */
  readonly checksums?: boolean;
  /** All parts of an upload but the last have to be equally long. */
  readonly equalParts?: boolean;
  /** Knows `If-None-Match: *` when an object is made. */
  readonly createOnly?: boolean;
  /** Why the preset is as it is, for people. */
  readonly reason: string;
}

/** Checksums are left out wherever a server is not known to take them: a SHA-256 of each part stands in its signature anyway. */
export const s3Presets = {
  aws: {
    checksums: true,
    createOnly: true,
    reason: 'Amazon S3 itself: it keeps checksums, and knows conditions since 2024.',
  },
  r2: {
    region: 'auto',
    endpointUrl: 'https://{account}.r2.cloudflarestorage.com',
    equalParts: true,
    createOnly: true,
    reason: 'Cloudflare R2 has one region, `auto`, and refuses an upload whose parts differ in length.',
  },
  minio: {
    region: 'us-east-1',
    pathStyle: true,
    reason: 'MinIO is mostly run without a domain for each bucket, and takes `us-east-1` unless told otherwise.',
  },
  'spaces-nyc3': spaces('nyc3', 'New York 3'),
  'spaces-sfo3': spaces('sfo3', 'San Francisco 3'),
  'spaces-ams3': spaces('ams3', 'Amsterdam 3'),
  'spaces-sgp1': spaces('sgp1', 'Singapore 1'),
  'spaces-fra1': spaces('fra1', 'Frankfurt 1'),
  b2: {
    endpointUrl: 'https://s3.{region}.backblazeb2.com',
    reason: 'Backblaze B2 refuses the checksums that the SDK sends by default; the region stands in the endpoint.',
  },
  wasabi: {
    region: 'us-east-1',
    endpointUrl: 'https://s3.{region}.wasabisys.com',
    reason: 'Wasabi has a host for each region. It charges an object for 90 days at least: see the guide.',
  },
} as const satisfies Readonly<Record<string, S3Preset>>;

/** The name of a preset. */
export type S3PresetName = keyof typeof s3Presets;

/** The names, for a schema. */
export const s3PresetNames = Object.keys(s3Presets) as [S3PresetName, ...S3PresetName[]];

function spaces(region: string, place: string) {
  return {
    // Spaces takes no other region in a signature than this, wherever the bucket is.
    region: 'us-east-1',
    endpointUrl: `https://${region}.digitaloceanspaces.com`,
    reason: `DigitalOcean Spaces in ${place}: the place stands in the host alone; signatures are for us-east-1.`,
  } as const;
}
