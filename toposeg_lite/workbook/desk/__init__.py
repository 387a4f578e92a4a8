"""A desk for one annotator: the screen on which an `AnnotationSession` is worked through.

- `AnnotationApp`: what is asked now, what a click or a key means, what there is to tell. It is a
  model without any widget: a test or a script can drive it just as a hand does.
- `AnnotationApp.show` puts it on the screen. Only then is the module `view` loaded, a widget whose
  front end is ``view.js``.

Bad arguments raise TypeError or ValueError before anything is done. A method that decides, draws,
erases, undoes or does again raises ValueError if the session is closed and OSError if the journal
cannot be written; nothing has changed then.
"""

from .app import AnnotationApp

__all__ = ["AnnotationApp"]
