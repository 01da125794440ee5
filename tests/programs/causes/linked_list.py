# SPDX-License-Identifier: MIT
# necropy: an undo history, each step of which refers to the one before.
import service

SOURCE = '''
class Step:
    def __init__(self, text, before):
        self.text, self.before = text, before

class Editor:
    def __init__(self):
        self.last = None

editor = Editor()
'''


def main():
    service.start()
    undo = service.module("editor.undo", SOURCE)
    for number in range(service.count(15000)):
        undo.editor.last = undo.Step("step %d" % number, undo.editor.last)
    service.rest()


if __name__ == "__main__":
    main()
