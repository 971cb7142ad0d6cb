import { type Static, Type } from 'typebox';

/** `[image]` of the configuration. */
export const ImageSection = Type.Object(
  {
    max_size_gb: Type.Integer({ default: 64, minimum: 1, description: 'Largest image that may be uploaded, in GiB.' }),
    max_properties: Type.Integer({ default: 128, minimum: 0, description: 'Custom properties per image.' }),
    max_tags: Type.Integer({ default: 128, minimum: 0, description: 'Tags per image.' }),
    max_members: Type.Integer({ default: 128, minimum: 0, description: 'Members per image.' }),
    page_size: Type.Integer({ default: 25, minimum: 1, description: 'Images of a page when the caller names no limit.' }),
    max_page_size: Type.Integer({ default: 1000, minimum: 1, description: 'Most images of one page.' }),
  },
  { additionalProperties: false },
);

export type ImageConfig = Static<typeof ImageSection>;
