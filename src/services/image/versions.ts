/** The versions of the image API that are whole, newest first (glance has no microversions; the list is a promise). */
export const imageVersions = ['v2.17', 'v2.15', 'v2.13', 'v2.12', 'v2.11', 'v2.10', 'v2.9', 'v2.8', 'v2.7', 'v2.6', 'v2.5', 'v2.4', 'v2.3', 'v2.2', 'v2.1', 'v2.0'];
